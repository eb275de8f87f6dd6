/** A manager that a test plays: it records what the node calls and says what the test makes it say. */
import { must } from "@farwatch/protocol/assert";
import { fromHex, toHex } from "@farwatch/protocol/bytes";
import { parseUpdatePayload } from "@farwatch/protocol/convert/update";
import type { Item } from "@farwatch/protocol/gen/manager/v1/event";
import type {
  Completed,
  DoneItem,
  HtlcNotSentRequest,
  OpenNodeSessionResponse,
  RegisterPaymentRequest,
  ClaimPaymentRequest,
  ClosePaymentRequest,
  ForceCloseRequest,
  HtlcFulfilledRequest,
  Verdict,
} from "@farwatch/protocol/gen/manager/v1/manager_service";
import type { ChannelId } from "@farwatch/protocol/ids";
import type { UpdateStep } from "@farwatch/protocol/update";
import { UpdateRefused, type ManagerConnection } from "../manager-connection.js";

export interface OfferedUpdate {
  readonly channelId: ChannelId;
  readonly updateId: bigint;
  readonly payload: string;
  readonly steps: readonly UpdateStep[];
}

export class ScriptedManager implements ManagerConnection {
  readonly items: Item[] = [];
  readonly replayDone = true;
  readonly updates: OfferedUpdate[] = [];
  readonly done: DoneItem[] = [];
  readonly calls: {
    readonly registerPayment: RegisterPaymentRequest[];
    readonly closePayment: ClosePaymentRequest[];
    readonly claimPayment: ClaimPaymentRequest[];
    readonly htlcFulfilled: HtlcFulfilledRequest[];
    readonly htlcNotSent: HtlcNotSentRequest[];
    readonly forceClose: ForceCloseRequest[];
  } = {
    registerPayment: [],
    closePayment: [],
    claimPayment: [],
    htlcFulfilled: [],
    htlcNotSent: [],
    forceClose: [],
  };
  /** Updates are answered when the test says so. */
  holds = false;
  /** Reason with which the next updates are refused. */
  refuses: string | undefined;
  /** The next updates are completed with `closed`. */
  closes = false;
  session: OpenNodeSessionResponse = {
    sessionId: Buffer.alloc(16),
    channels: [],
    ownedInbound: [],
  };
  #waiting: { readonly done: () => void; readonly lost: () => void }[] = [];

  /** Steps of the updates of one channel, in order. */
  stepsOf(id: ChannelId): readonly UpdateStep[] {
    return this.updates.flatMap(({ channelId, steps }) => (channelId === id ? steps : []));
  }

  verdict(id: ChannelId, verdict: Verdict): void {
    const channelId = Buffer.from(fromHex(id));
    const none = { acceptedId: 0n, durableId: 0n, headHash: Buffer.alloc(32), behindBy: 0n };
    const channels = [...this.session.channels, { channelId, verdict, ...none }];
    this.session = { ...this.session, channels };
  }

  /** Everything held is completed. */
  release(): void {
    for (const { done } of this.#take()) done();
  }
  /** The connection breaks: nobody knows what became of what was held. */
  lose(): void {
    for (const { lost } of this.#take()) lost();
  }

  tell(item: Item["item"], itemId = BigInt(this.items.length + 1)): void {
    this.items.push({ itemId, semanticKey: `key/${itemId}`, createdAtMs: 0n, item });
  }

  watchChannel(): Promise<void> {
    return Promise.resolve();
  }

  async update(channelId: ChannelId, updateId: bigint, payload: Uint8Array): Promise<Completed> {
    const parsed = parseUpdatePayload(payload);
    const steps = must(parsed.ok ? parsed.value : undefined, "steps that parse");
    this.updates.push({ channelId, updateId, payload: toHex(payload), steps });
    if (this.refuses !== undefined) throw new UpdateRefused(this.refuses, "scripted");
    if (this.holds) {
      await new Promise<void>((resolve, reject) =>
        this.#waiting.push({ done: resolve, lost: () => reject(new Error("connection lost")) }),
      );
    }
    const id = Buffer.from(fromHex(channelId));
    return { channelId: id, updateId, eventWatermark: 0n, closed: this.closes, itemWatermark: 0n };
  }

  registerPayment(request: RegisterPaymentRequest): Promise<void> {
    return this.#note(this.calls.registerPayment, request);
  }
  closePayment(request: ClosePaymentRequest): Promise<void> {
    return this.#note(this.calls.closePayment, request);
  }
  claimPayment(request: ClaimPaymentRequest): Promise<void> {
    return this.#note(this.calls.claimPayment, request);
  }
  htlcFulfilled(request: HtlcFulfilledRequest): Promise<void> {
    return this.#note(this.calls.htlcFulfilled, request);
  }
  htlcNotSent(request: HtlcNotSentRequest): Promise<void> {
    return this.#note(this.calls.htlcNotSent, request);
  }
  forceClose(request: ForceCloseRequest): Promise<void> {
    return this.#note(this.calls.forceClose, request);
  }
  answer(items: readonly DoneItem[]): Promise<void> {
    this.done.push(...items);
    return Promise.resolve();
  }
  close(): void {
    this.lose();
  }

  #note<T>(calls: T[], request: T): Promise<void> {
    calls.push(request);
    return Promise.resolve();
  }
  #take() {
    const waiting = this.#waiting;
    this.#waiting = [];
    return waiting;
  }
}
