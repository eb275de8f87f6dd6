/**
 * Brings each channel of one monitor up to date from what the manager stored, then passes new updates
 * straight on (reliability F-48 to F-51). Which side is behind is judged over rows (LinkHost.compared):
 * a monitor that is ahead of us, or holds other bytes at the same id, gets nothing. A replay is answered with its receipt again, so the
 * newest id the monitor has is sent once more to learn a receipt that was lost on the way.
 */
import { fromHex } from "@farwatch/protocol/bytes";
import type { ReceiptBatch } from "@farwatch/protocol/gen/monitor/v1/monitor_service";
import {
  hash32,
  updateId,
  type ChannelId,
  type Hash32,
  type UpdateId,
} from "@farwatch/protocol/ids";
import { REASONS, refuse, type Refusal } from "@farwatch/protocol/reasons";
import { ok } from "@farwatch/protocol/result";
import type { MonitorCursors } from "../manager/restart/cursors.js";
import { backoffDelayMs, jitterFrom } from "./backoff.js";
import { newLane, type Lane } from "./lane.js";
import type { LinkContext } from "./link-context.js";
import type { StoredUpdate, StoredWatch } from "./monitor-link.js";
import { readCursors } from "./read-cursors.js";
import { judgeReceipts, openReceipts } from "./receipt-check.js";
import { ConnectionLost } from "./rpc.js";
import type { PreimagePipe } from "./preimage-pipe.js";
import type { UpdatePipe } from "./update-pipe.js";

/** Updates read from the store at once: bounds memory at 64 times the largest payload. */
export const PAGE_UPDATES = 64;
/** Channels compared at once after a connect: hides round trips, loads the monitor little. */
const COMPARE_AT_ONCE = 8;

export class ChannelSync {
  readonly #context: LinkContext;
  readonly #pipe: UpdatePipe;
  readonly #lanes = new Map<ChannelId, Lane>();
  readonly #preimages: Pick<PreimagePipe, "watched" | "compare">;

  constructor(
    context: LinkContext,
    pipe: UpdatePipe,
    preimages: Pick<PreimagePipe, "watched" | "compare">,
  ) {
    this.#context = context;
    this.#pipe = pipe;
    this.#preimages = preimages;
  }

  /** Resolves when every channel was compared; what is missing is sent meanwhile and after. */
  async start(watches: readonly StoredWatch[]): Promise<void> {
    const rest = watches.flatMap((watch) => this.#newLane(watch) ?? []).values();
    const worker = async (): Promise<void> => {
      for (const lane of rest) await this.#compare(lane);
    };
    await Promise.all(Array.from({ length: COMPARE_AT_ONCE }, worker));
  }

  /** A channel that was just accepted. The monitor may have it all the same: our database may be new. */
  watch(watch: StoredWatch): void {
    const lane = this.#newLane(watch);
    if (lane !== undefined) this.#context.spawn(() => this.#compare(lane));
  }

  send(updates: readonly StoredUpdate[]): void {
    for (const update of updates) this.#sendOne(update);
  }

  #sendOne(update: StoredUpdate): void {
    const lane = this.#lanes.get(update.channelId);
    if (lane === undefined || update.updateId < lane.next) return; // read from the store, or sent
    if (lane.resumeAt !== undefined && update.updateId >= lane.resumeAt) {
      this.#context.spawn(() => this.#compare(lane));
    }
    if (lane.state === "paging") lane.missed = true;
    if (lane.state !== "live") return;
    if (update.updateId > lane.next || this.#pipe.full) return this.#page(lane);
    this.#pipe.push(update);
    lane.next++;
  }

  #newLane(watch: StoredWatch): Lane | undefined {
    if (this.#lanes.has(watch.channelId)) return undefined;
    const lane = newLane(watch);
    if (!lane.ok) {
      this.#alarm(watch.channelId, lane.error);
      return undefined;
    }
    this.#lanes.set(watch.channelId, lane.value);
    return lane.value;
  }

  async #compare(lane: Lane): Promise<void> {
    const { rpc, host, identity, session } = this.#context;
    const { channelId } = lane;
    lane.state = "checking";
    lane.resumeAt = undefined;
    const told = host.toldBy(identity, session.storeId, channelId);
    const found = await rpc.getChannel({ channelId: Buffer.from(fromHex(channelId)) });
    if (!found.ok && found.error.reason !== "channelUnknown") {
      return this.#troubled(lane, found.error, () => this.#alarm(channelId, found.error));
    }
    if (found.ok) this.#preimages.compare(channelId, found.value);
    const cursors = found.ok ? readCursors(found.value) : ok(undefined);
    if (!cursors.ok) return this.#hold(lane, cursors.error);
    const theirs = cursors.value;
    const hashAtTheirs = theirs && (await this.#settledHashAt(channelId, theirs.updateId));
    if (lane.state !== "checking") return; // a receipt showed another history meanwhile
    const judged = { channelId, theirs, hashAtTheirs, told };
    const refusal = await host.compared(identity, session.storeId, judged);
    if (refusal !== undefined) return this.#holdBack(lane, theirs);
    if (lane.state !== "checking") return;
    if (theirs === undefined || theirs.updateId === lane.baseId) return this.#sendWatch(lane);
    lane.next = theirs.updateId;
    this.#page(lane);
  }

  /** The node was told why. Where only we lack updates, sending goes on when they came. */
  #holdBack(lane: Lane, theirs: MonitorCursors | undefined): void {
    lane.state = "held";
    this.#pipe.drop(lane.channelId);
    if (theirs === undefined) return;
    const head = this.#context.host.head(lane.channelId).updateId;
    if (theirs.updateId > head) lane.resumeAt = theirs.updateId;
  }

  async #sendWatch(lane: Lane): Promise<void> {
    const { rpc, signer, host, identity } = this.#context;
    const request = signer.watch(lane.watch);
    const answer = await rpc.watchChannel(request);
    if (!answer.ok) {
      return this.#troubled(lane, answer.error, () =>
        host.refused(identity, lane.channelId, lane.baseId, answer.error),
      );
    }
    this.#preimages.watched(lane.channelId);
    if (answer.value.receipts !== undefined) await this.receipts(answer.value.receipts);
    if (lane.state === "held") return;
    lane.next = lane.baseId + 1n;
    this.#page(lane);
  }

  #page(lane: Lane): void {
    lane.state = "paging";
    this.#context.spawn(() => this.#readPages(lane));
  }

  async #readPages(lane: Lane): Promise<void> {
    const { host, isOver } = this.#context;
    const reader = ++lane.reader;
    const goesOn = (): boolean => lane.reader === reader && lane.state === "paging" && !isOver();
    for (;;) {
      await this.#pipe.room();
      if (!goesOn()) return;
      lane.missed = false;
      const page = await host.updates(lane.channelId, updateId(lane.next), PAGE_UPDATES);
      if (!goesOn()) return;
      for (const update of page) {
        if (update.updateId !== lane.next) return this.#hold(lane, gapInStore(lane.next));
        this.#pipe.push(update);
        lane.next++;
      }
      if (page.length === 0 && !lane.missed) {
        lane.state = "live";
        return;
      }
    }
  }

  /** Hands on what is believed. Throws ConnectionLost when the batch is not the monitor's. */
  async receipts(wire: ReceiptBatch): Promise<void> {
    const { host, identity, session, sawTip } = this.#context;
    const opened = openReceipts(this.#context, wire);
    if (!opened.ok) {
      this.#alarm(undefined, opened.error);
      throw new ConnectionLost(`receipts not believed: ${opened.error.message}`);
    }
    const { believed, conflicts } = await judgeReceipts(opened.value, (channelId, id) =>
      this.#hashAt(channelId, id),
    );
    for (const { channelId, updateId: id, refusal } of conflicts) {
      const lane = this.#lanes.get(channelId);
      if (lane !== undefined) this.#holdBack(lane, undefined);
      host.refused(identity, channelId, id, refusal);
    }
    for (const { tipHeight } of opened.value) sawTip(tipHeight);
    for (const receipt of believed) {
      const lane = this.#lanes.get(receipt.channelId);
      if (lane !== undefined) lane.attempts = 0;
      this.#pipe.settle(receipt.channelId, receipt.updateId);
    }
    if (believed.length > 0) await host.receipts(identity, session.storeId, believed);
  }

  refused(channelId: ChannelId, id: UpdateId, refusal: Refusal): void {
    const lane = this.#lanes.get(channelId);
    // After one refusal the channel's later updates are refused too, for that reason alone.
    if (lane === undefined || lane.state === "waiting" || lane.state === "held") return;
    const { host, identity } = this.#context;
    this.#troubled(lane, refusal, () => host.refused(identity, channelId, id, refusal));
  }

  #troubled(lane: Lane, refusal: Refusal, tell: () => void): void {
    this.#pipe.drop(lane.channelId);
    if (refusal.reason === "fenced" || refusal.reason === "sessionNotOpen") {
      return this.#context.fail(new ConnectionLost(refusal.message, refusal));
    }
    const { retry } = REASONS[refusal.reason];
    if (retry === "never" || refusal.reason === "tooLarge") {
      lane.state = "held";
      return tell();
    }
    const { options, later, spawn } = this.#context;
    lane.state = "waiting";
    const facts = { monitor: options.name, channelId: lane.channelId, reason: refusal.reason };
    options.log.warn(facts, "monitor refused for now; trying again");
    later(backoffDelayMs(lane.attempts++, jitterFrom(options.randomBytes)), () =>
      spawn(() => this.#compare(lane)),
    );
  }

  #hold(lane: Lane, refusal: Refusal): void {
    lane.state = "held";
    this.#pipe.drop(lane.channelId);
    this.#alarm(lane.channelId, refusal);
  }

  #alarm(channelId: ChannelId | undefined, refusal: Refusal): void {
    this.#context.host.alarm(this.#context.identity, channelId, refusal);
  }

  /** As of the very turn in which it resolves: what is accepted meanwhile is looked up too. */
  async #settledHashAt(channelId: ChannelId, id: UpdateId): Promise<Hash32 | undefined> {
    const { host } = this.#context;
    for (;;) {
      const head = host.head(channelId).updateId;
      const hash = await this.#hashAt(channelId, id);
      if (id <= head || host.head(channelId).updateId === head) return hash;
    }
  }

  async #hashAt(channelId: ChannelId, id: UpdateId): Promise<Hash32 | undefined> {
    const lane = this.#lanes.get(channelId);
    if (lane === undefined || id < lane.baseId) return undefined;
    return id === lane.baseId ? hash32(lane.baseHash) : this.#context.host.hashAt(channelId, id);
  }
}

const gapInStore = (wanted: bigint): Refusal =>
  refuse("storedStateUnreadable", `update ${wanted} is missing in the manager's store`, {
    update_id: String(wanted),
  });
