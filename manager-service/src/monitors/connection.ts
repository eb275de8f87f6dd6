/**
 * One connection to a monitor from its handshake to its end. Order: session, preimage records, heads
 * compared, events, acks. The first failure of any part ends all of it; run() resolves only after every part has ended,
 * so two connections of one link never overlap.
 */
import type {
  UpdateChannelRequest,
  UpdateChannelResponse,
} from "@farwatch/protocol/gen/monitor/v1/monitor_service";
import { detailToRefusal } from "@farwatch/protocol/convert/error";
import { fixedHex, readWith } from "@farwatch/protocol/convert/reader";
import { channelId, updateId } from "@farwatch/protocol/ids";
import { refuse } from "@farwatch/protocol/reasons";
import type { ClientDuplexStream } from "@grpc/grpc-js";
import { AckPipe } from "./ack-pipe.js";
import { ChannelSync } from "./channel-sync.js";
import { feedEvents } from "./event-feed.js";
import { openSession, type Session } from "./handshake.js";
import type { LinkContext } from "./link-context.js";
import type { LinkOptions, LinkTimer } from "./link-options.js";
import type {
  EventAck,
  LinkHost,
  StoredPreimage,
  StoredUpdate,
  StoredWatch,
} from "./monitor-link.js";
import { PreimagePipe } from "./preimage-pipe.js";
import { ConnectionLost, lostBy, type Rpc } from "./rpc.js";
import type { UpdateSigner } from "./sign-updates.js";
import { UpdatePipe } from "./update-pipe.js";

type UpdateStream = ClientDuplexStream<UpdateChannelRequest, UpdateChannelResponse>;

export interface ConnectionParts {
  readonly options: LinkOptions;
  /** New; closed with the connection. */
  readonly rpc: Rpc;
  readonly signer: UpdateSigner;
  readonly host: LinkHost;
}

export class Connection {
  readonly #parts: ConnectionParts;
  readonly rpc: Rpc;
  readonly #tasks = new Set<Promise<void>>();
  readonly #timers = new Set<LinkTimer>();
  #lost: ConnectionLost | undefined;
  #session: Session | undefined;
  #tipHeight: number | undefined;
  #pipe: UpdatePipe | undefined;
  #sync: ChannelSync | undefined;
  #preimages: PreimagePipe | undefined;
  #acks: AckPipe | undefined;

  constructor(parts: ConnectionParts) {
    this.#parts = parts;
    this.rpc = parts.rpc;
  }

  /** undefined before the session is open. */
  get session(): Session | undefined {
    return this.#session;
  }
  get tipHeight(): number | undefined {
    return this.#tipHeight;
  }

  /** Resolves with why the connection ended, when all of it has ended. Never rejects. */
  async run(): Promise<ConnectionLost> {
    this.#spawn(() => this.#serve());
    while (this.#tasks.size > 0) await Promise.allSettled(this.#tasks);
    this.#fail(new ConnectionLost("nothing left to do"));
    return this.#lost ?? new ConnectionLost("ended");
  }

  stop(): void {
    this.#fail(new ConnectionLost("stopped"));
  }
  watch(watch: StoredWatch): void {
    this.#sync?.watch(watch);
  }
  send(updates: readonly StoredUpdate[]): void {
    this.#sync?.send(updates);
  }
  putPreimages(records: readonly StoredPreimage[]): void {
    this.#preimages?.push(records);
  }
  ack(acks: readonly EventAck[]): void {
    this.#acks?.push(acks);
  }

  async #serve(): Promise<void> {
    const { options, signer, host } = this.#parts;
    const opened = await openSession(options, signer, this.rpc);
    if (!opened.ok) throw new ConnectionLost(opened.error.message, opened.error);
    const context = this.#contextOf(opened.value);
    this.#session = opened.value;
    this.#tipHeight = opened.value.tipHeight;
    host.connected(context.identity, opened.value.storeId);
    const stream = this.rpc.updateChannel();
    const pipe = this.#openPipe(context, stream);
    const preimages = new PreimagePipe(context);
    this.#preimages = preimages;
    preimages.push(host.pendingPreimages(context.identity, opened.value.storeId));
    const sync = new ChannelSync(context, pipe, preimages);
    this.#sync = sync;
    this.#spawn(() => readAnswers(context, stream, sync));
    await sync.start(host.channels());
    this.#spawn(() => feedEvents(context));
    this.#acks = new AckPipe(context);
    this.#acks.push(host.pendingAcks(context.identity));
  }

  #openPipe(context: LinkContext, stream: UpdateStream): UpdatePipe {
    const pipe = new UpdatePipe({
      limits: context.session.limits,
      clock: context.options.clock,
      write: (updates) => stream.write({ batch: context.signer.updates(updates) }),
      stuck: () => this.#fail(new ConnectionLost("no receipt for updates that were sent")),
    });
    stream.on("drain", () => pipe.drained());
    this.#pipe = pipe;
    if (this.#lost !== undefined) pipe.stop();
    return pipe;
  }

  #contextOf(session: Session): LinkContext {
    const { options, signer, host } = this.#parts;
    return {
      options,
      signer,
      host,
      session,
      rpc: this.rpc,
      identity: { name: options.name, monitorKey: options.monitorKey },
      isOver: () => this.#lost !== undefined,
      fail: (error) => this.#fail(error),
      spawn: (task) => this.#spawn(task),
      later: (ms, run) => this.#later(ms, run),
      sawTip: (height) => {
        this.#tipHeight = height;
      },
    };
  }

  #later(ms: number, run: () => void): LinkTimer {
    const timer = this.#parts.options.clock.after(ms, () => {
      this.#timers.delete(timer);
      if (this.#lost === undefined) run();
    });
    if (this.#lost === undefined) this.#timers.add(timer);
    else timer.cancel();
    return timer;
  }

  #spawn(task: () => Promise<void>): void {
    if (this.#lost !== undefined) return;
    const running = task()
      .catch((error: unknown) => this.#fail(error))
      .finally(() => this.#tasks.delete(running));
    this.#tasks.add(running);
  }

  #fail(error: unknown): void {
    if (this.#lost !== undefined) return;
    this.#lost = lostBy(error);
    for (const timer of this.#timers) timer.cancel();
    this.#pipe?.stop();
    this.rpc.close();
  }
}

/** Receipts and refusals, one message after the other, until the stream ends, which always throws. */
async function readAnswers(
  context: LinkContext,
  stream: UpdateStream,
  sync: ChannelSync,
): Promise<void> {
  const messages: AsyncIterable<UpdateChannelResponse> = stream;
  for await (const { receipts, refused } of messages) {
    if (context.isOver()) break;
    if (receipts !== undefined) await sync.receipts(receipts);
    for (const one of refused) {
      const id = readWith(() => channelId(fixedHex(one.channelId, 32, "channel_id")));
      if (!id.ok) throw new ConnectionLost(`refusal without a channel: ${id.error.message}`);
      const unnamed = refuse("malformed", "the monitor refused without a reason");
      const refusal = one.error === undefined ? unnamed : detailToRefusal(one.error);
      sync.refused(id.value, updateId(one.updateId), refusal);
    }
  }
  throw new ConnectionLost("the monitor ended the update stream");
}
