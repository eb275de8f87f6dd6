/**
 * MonitorLink over gRPC with mutual TLS: connects, and connects again with backoff, until it is stopped
 * or fenced. Fenced means that a newer manager has taken over: going on could only do harm, so the
 * link then stays silent for good (contract 2.25).
 */
import { fromHex } from "@farwatch/protocol/bytes";
import { GetChannelResponse } from "@farwatch/protocol/gen/monitor/v1/monitor_service";
import {
  eventId,
  hash32,
  txidFromInternal,
  updateId,
  type ChannelId,
  type Txid,
} from "@farwatch/protocol/ids";
import { fixed, fixedHex, readWith } from "@farwatch/protocol/convert/reader";
import { REASONS, refuse, type Refusal } from "@farwatch/protocol/reasons";
import { err, type Result } from "@farwatch/protocol/result";
import { BACKOFF_CAP_MS, backoffDelayMs, jitterFrom } from "./backoff.js";
import { Connection } from "./connection.js";
import type { GrpcLinkOptions, LinkOptions, LinkTimer } from "./link-options.js";
import type {
  BumpAnswer,
  EventAck,
  LinkHost,
  LinkStatus,
  MonitorChannelView,
  MonitorLink,
  StoredPreimage,
  StoredUpdate,
  StoredWatch,
} from "./monitor-link.js";
import { openRpc, type ConnectionLost, type Rpc } from "./rpc.js";
import { UpdateSigner } from "./sign-updates.js";

/** Ms. A connection that lasted this long was a good one: the next wait starts from the base again. */
const GOOD_CONNECTION_MS = BACKOFF_CAP_MS;

/** A link to one monitor; it does nothing before start(). */
export const createGrpcLink = (options: GrpcLinkOptions): MonitorLink =>
  createLink(options, () => openRpc(options.address, options.tls));

/** The same over whatever `open` makes for each connection. */
export const createLink = (options: LinkOptions, open: () => Rpc): MonitorLink =>
  new Link(options, open);

class Link implements MonitorLink {
  readonly #options: LinkOptions;
  readonly #open: () => Rpc;
  readonly #signer: UpdateSigner;
  #connection: Connection | undefined;
  #running: Promise<void> | undefined;
  #stopped = false;
  #fenced = false;
  #lastError: string | undefined;
  #told: string | undefined;
  #wake: (() => void) | undefined;
  #timer: LinkTimer | undefined;

  constructor(options: LinkOptions, open: () => Rpc) {
    this.#options = options;
    this.#open = open;
    this.#signer = new UpdateSigner(options);
  }

  get name() {
    return this.#options.name;
  }
  get monitorKey() {
    return this.#options.monitorKey;
  }

  start(host: LinkHost): void {
    if (!this.#stopped) this.#running ??= this.#run(host);
  }
  watch(watch: StoredWatch): void {
    this.#connection?.watch(watch);
  }
  send(updates: readonly StoredUpdate[]): void {
    this.#connection?.send(updates);
  }
  putPreimages(records: readonly StoredPreimage[]): void {
    this.#connection?.putPreimages(records);
  }
  ack(acks: readonly EventAck[]): void {
    this.#connection?.ack(acks);
  }

  status(): LinkStatus {
    const session = this.#connection?.session;
    return {
      connected: session !== undefined,
      storeId: session?.storeId,
      tipHeight: this.#connection?.tipHeight,
      lastError: this.#lastError,
    };
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#timer?.cancel();
    this.#wake?.();
    this.#connection?.stop();
    await this.#running;
  }

  async channel(channelId: ChannelId): Promise<MonitorChannelView | undefined> {
    const rpc = this.#live()?.rpc;
    if (rpc === undefined) return undefined;
    const request = { channelId: Buffer.from(fromHex(channelId)) };
    try {
      const answer = await rpc.getChannel(request);
      return answer.ok ? viewOf(answer.value) : undefined;
    } catch {
      return undefined; // unreachable; the link's own traffic finds out why and says so
    }
  }

  async broadcastHolder(
    channelId: ChannelId,
    reason: string,
    overrideStale: boolean,
  ): Promise<Result<Txid, Refusal>> {
    const rpc = this.#live()?.rpc;
    if (rpc === undefined) return err(refuse("starting", `monitor ${this.name} is not connected`));
    const { epoch } = this.#options;
    const request = { channelId: Buffer.from(fromHex(channelId)), reason, overrideStale, epoch };
    try {
      const answer = await rpc.broadcastHolderCommitment(request);
      return answer.ok ? readTxid(answer.value.commitmentTxid, "commitment_txid") : answer;
    } catch {
      // the call may have reached the monitor: broadcasting the same commitment again is harmless
      return err(refuse("deadlineExceeded", `monitor ${this.name} did not answer`));
    }
  }

  async signBump({ channelId, claimId, funded }: BumpAnswer): Promise<Result<Txid, Refusal>> {
    const rpc = this.#live()?.rpc;
    if (rpc === undefined) {
      return err(refuse("monitorUnreachable", `monitor ${this.name} is not connected`));
    }
    const request = {
      channelId: Buffer.from(fromHex(channelId)),
      claimId: Buffer.from(fromHex(claimId)),
      funded: { $case: funded.kind, value: Buffer.from(funded.bytes) },
      epoch: this.#options.epoch,
    };
    try {
      const answer = await rpc.signBump(request);
      return answer.ok ? readTxid(answer.value.txid, "txid") : answer;
    } catch {
      // it may have arrived: the monitor takes the same transaction again
      return err(refuse("deadlineExceeded", `monitor ${this.name} did not answer`));
    }
  }

  #live(): Connection | undefined {
    return this.#connection?.session === undefined ? undefined : this.#connection;
  }

  async #run(host: LinkHost): Promise<void> {
    const { clock, randomBytes } = this.#options;
    let attempt = 0;
    while (!this.#stopped && !this.#fenced) {
      const since = clock.nowMs();
      const connection = new Connection({
        options: this.#options,
        signer: this.#signer,
        host,
        rpc: this.#open(),
      });
      this.#connection = connection;
      const lost = await connection.run();
      this.#connection = undefined;
      this.#ended(host, lost, connection.session !== undefined);
      if (clock.nowMs() - since >= GOOD_CONNECTION_MS) attempt = 0;
      await this.#pause(backoffDelayMs(attempt++, jitterFrom(randomBytes)));
    }
  }

  #ended(host: LinkHost, lost: ConnectionLost, wasConnected: boolean): void {
    const { name, monitorKey, log } = this.#options;
    const identity = { name, monitorKey };
    this.#lastError = lost.message;
    if (wasConnected) {
      host.disconnected(identity, lost.message);
      this.#told = undefined;
    }
    const isNews = this.#told !== lost.message;
    this.#told = lost.message;
    if (isNews) log.warn({ monitor: name, reason: lost.message }, "no connection to the monitor");
    const { refusal } = lost;
    if (refusal === undefined) return;
    this.#fenced = refusal.reason === "fenced";
    if (isNews && REASONS[refusal.reason].retry === "never") {
      host.alarm(identity, undefined, refusal);
    }
  }

  async #pause(ms: number): Promise<void> {
    if (this.#stopped || this.#fenced) return;
    await new Promise<void>((resolve) => {
      this.#wake = resolve;
      this.#timer = this.#options.clock.after(ms, resolve);
    });
  }
}

const readTxid = (bytes: Uint8Array, field: string): Result<Txid, Refusal> =>
  readWith(() => txidFromInternal(fixed(bytes, 32, field)));

function viewOf(response: GetChannelResponse): MonitorChannelView | undefined {
  const read = readWith(() => ({
    latestUpdateId: updateId(response.latestUpdateId),
    latestUpdateHash: hash32(fixedHex(response.latestUpdateHash, 32, "latest_update_hash")),
    holderCommitmentNumber: response.holderCommitmentNumber,
    counterpartyCommitmentNumber: response.counterpartyCommitmentNumber,
    revokedCommitments: response.revokedCommitments,
    nextEventId: eventId(response.nextEventId),
    unackedEventIds: response.unackedEventIds.map((id) => eventId(id)),
    halted: response.halted,
    wire: GetChannelResponse.encode(response).finish(),
  }));
  return read.ok ? read.value : undefined;
}
