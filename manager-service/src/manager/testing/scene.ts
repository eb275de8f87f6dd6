/**
 * A manager core with two required monitors and one channel, for tests: inputs in, rows and effects
 * out. Decisions are applied as the shell does it; nothing is stored. No rules of its own.
 */
import { feeratePerKw, msat, sat, type Msat } from "@farwatch/protocol/amount";
import { assert, must } from "@farwatch/protocol/assert";
import { blockDelta, blockHash, blockHeight } from "@farwatch/protocol/block";
import { utf8 } from "@farwatch/protocol/bytes";
import type {
  CommitmentHtlc,
  CounterpartyCommitment,
  HolderCommitment,
  HtlcSource,
  InitialState,
  NegotiatedFunding,
} from "@farwatch/protocol/channel";
import type { EventOrigin, MonitorEventBody } from "@farwatch/protocol/event";
import {
  channelId,
  commitmentNumber,
  eventId,
  hash32,
  hashOfPreimage,
  htlcId,
  managerKey,
  monitorKey,
  paymentId,
  perCommitmentSecret,
  preimage,
  sourceKey,
  storeId,
  txid,
  updateId,
  type ChannelId,
  type MonitorKey,
  type PaymentId,
  type Preimage,
} from "@farwatch/protocol/ids";
import type { Refusal } from "@farwatch/protocol/reasons";
import type { Result } from "@farwatch/protocol/result";
import type { HtlcFailReason, UpdateStep } from "@farwatch/protocol/update";
import type { Decision } from "../effect.js";
import type { Context } from "../input.js";
import { rowKeys, type ChannelRow, type InboxRow, type ItemRow } from "../rows.js";
import { Core } from "./core.js";

export const byte = (value: number, length = 32): string =>
  value.toString(16).padStart(2, "0").repeat(length);
export const MONITOR_A = monitorKey(byte(0xa1));
export const MONITOR_B = monitorKey(byte(0xb2));
export const STORE_A = storeId(byte(0xa3, 16));
export const STORE_B = storeId(byte(0xb4, 16));
export const CHANNEL = channelId(byte(0xc0));
export const CHAIN_HASH = byte(0x0f);
export const NODE = byte(0x02, 33);
export const FUNDING = { txid: txid(byte(0xfd)), vout: 1 };
export const PAYMENT = paymentId(byte(0x77));
const POINT = new Uint8Array(33).fill(2);
export const BLOCK = { height: blockHeight(100), hash: blockHash(byte(0xbb)) };

/** The first byte decides whether a secret opens its point, so that tests can say so. */
export const GOOD_SECRET = perCommitmentSecret(new Uint8Array(32).fill(1));
export const BAD_SECRET = perCommitmentSecret(new Uint8Array(32).fill(2));

export const CONTEXT: Context = {
  managerKey: managerKey(byte(0x3a)),
  chainHash: CHAIN_HASH,
  nowMs: 1_700_000_000_000,
  opensPoint: (secret) => secret[0] === 1,
};

export const secretOf = (name: number): Preimage => preimage(new Uint8Array(32).fill(name));

/** An own HTLC; `part` names its source and, unless `secret` is given, its preimage. */
export interface TestPart {
  readonly part: number;
  readonly payment?: PaymentId;
  readonly secret?: number;
  readonly amountMsat?: Msat;
}

export function ownSource({ part, payment = PAYMENT }: TestPart): HtlcSource {
  const bytes = new Uint8Array([part]);
  const own = { paymentId: payment, partKey: bytes, pathSummary: bytes, firstHopMsat: msat(1000) };
  return {
    sourceKey: sourceKey(byte(part)),
    origin: { kind: "own", part: own },
    opaque: new Uint8Array(),
  };
}

export const hashOf = ({ part, secret = part }: TestPart) => hashOfPreimage(secretOf(secret));

export const outbound = (part: TestPart): CommitmentHtlc => ({
  htlcId: htlcId(part.part),
  offered: false,
  amountMsat: part.amountMsat ?? msat(1000),
  cltvExpiry: blockHeight(500),
  paymentHash: hashOf(part),
  outputIndex: undefined,
  source: ownSource(part),
});

export const counterparty = (
  number: number,
  htlcs: readonly CommitmentHtlc[] = [],
): CounterpartyCommitment => ({
  commitmentNumber: commitmentNumber(number),
  perCommitmentPoint: POINT,
  feeratePerKw: feeratePerKw(253),
  toBroadcasterSat: sat(1000),
  toCountersignatorySat: sat(1000),
  htlcs,
  txid: txid(byte(0xcc)),
});

export const holder = (number: number): HolderCommitment => ({
  commitmentNumber: commitmentNumber(number),
  perCommitmentPoint: POINT,
  feeratePerKw: feeratePerKw(253),
  toLocalSat: sat(1000),
  toRemoteSat: sat(1000),
  htlcs: [],
  counterpartySignature: new Uint8Array(64),
  counterpartyHtlcSignatures: [],
  txid: txid(byte(0xcd)),
});

export function initialState(
  htlcs: readonly CommitmentHtlc[] = [],
  id: ChannelId = CHANNEL,
): InitialState {
  const pubkeys = {
    fundingPubkey: POINT,
    revocationBasepoint: POINT,
    paymentPoint: POINT,
    delayedPaymentBasepoint: POINT,
    htlcBasepoint: POINT,
  };
  return {
    parameters: {
      channelId: id,
      chainHash: CHAIN_HASH,
      channelType: "anchors_zero_fee_htlc",
      channelTypeModifiers: [],
      funding: FUNDING,
      channelValueSat: sat(100_000),
      holderIsOpener: true,
      holderPubkeys: pubkeys,
      counterpartyPubkeys: pubkeys,
      holderSelectedContestDelay: blockDelta(144),
      counterpartySelectedContestDelay: blockDelta(144),
      channelKeysId: new Uint8Array(32),
      destinationScript: new Uint8Array(22),
      counterpartyNodeId: undefined,
      userChannelId: undefined,
      constantsProfile: "ldk_0_2",
      spliceParentFundingTxid: undefined,
      shutdownScript: undefined,
    },
    holderCommitment: holder(0),
    counterpartyCommitment: counterparty(0, htlcs),
    pendingFundings: [],
    revokedSecrets: [],
    manualBroadcast: false,
    bestBlock: undefined,
    ldkMonitor: undefined,
    earlier: undefined,
  };
}

export const sign = (number: number, parts: readonly TestPart[]): UpdateStep => ({
  kind: "latestCounterpartyCommitment",
  commitment: counterparty(number, parts.map(outbound)),
  pending: [],
});
export const revoke = (number: number): UpdateStep => ({
  kind: "commitmentSecret",
  commitmentNumber: commitmentNumber(number),
  secret: GOOD_SECRET,
});
export const receive = (
  number: number,
): Extract<UpdateStep, { kind: "latestHolderCommitment" }> => ({
  kind: "latestHolderCommitment",
  commitment: holder(number),
  pending: [],
  claimed: [],
  failed: [],
});

export const REASON: HtlcFailReason = {
  cause: { kind: "onChainTimeout" },
  holdTime: undefined,
  attributionData: undefined,
};

const htlcBody = (
  part: TestPart,
  resolution: Extract<MonitorEventBody, { kind: "htlcEvent" }>["resolution"],
): MonitorEventBody => ({
  kind: "htlcEvent",
  paymentHash: hashOf(part),
  source: ownSource(part),
  htlcId: htlcId(part.part),
  amountMsat: part.amountMsat ?? msat(1000),
  userChannelId: undefined,
  resolution,
});
export const claimed = (part: TestPart): MonitorEventBody =>
  htlcBody(part, {
    kind: "claimed",
    preimage: secretOf(part.secret ?? part.part),
    skimmedFeeMsat: undefined,
    attributionData: undefined,
  });
export const failed = (part: TestPart): MonitorEventBody =>
  htlcBody(part, { kind: "failed", reason: REASON });
export const confirmed = (mutualClose: boolean): MonitorEventBody => ({
  kind: "commitmentTxConfirmed",
  txid: txid(byte(0xdd)),
  spend: mutualClose ? "mutual" : "counterparty",
  mutualClose,
  commitmentNumber: undefined,
});

export const ON_CHAIN: EventOrigin = { kind: "chain", txid: txid(byte(0xee)), block: BLOCK };
export const fromUpdate = (id: number): EventOrigin => ({
  kind: "update",
  updateId: updateId(id),
});

/** The same facts have the same subject on every monitor, whatever the outcome. */
function subjectOf(body: MonitorEventBody) {
  return hash32(body.kind === "htlcEvent" ? body.source.sourceKey : byte(body.kind.length));
}

export class Scene extends Core {
  readonly #events = new Map<MonitorKey, number>();

  constructor() {
    super(CONTEXT);
  }

  watch(
    htlcs: readonly CommitmentHtlc[] = [],
    bytes = "initial",
    pendingFundings: readonly NegotiatedFunding[] = [],
  ): Result<Decision, Refusal> {
    return this.input({
      kind: "watchOffered",
      nodeKey: NODE,
      initial: { ...initialState(htlcs), pendingFundings },
      firstUpdateId: updateId(1),
      payload: utf8(bytes),
      requiredMonitors: [MONITOR_A, MONITOR_B],
      setNo: 1,
    });
  }

  /** A channel that both monitors watch, without updates. */
  static opened(): Scene {
    const scene = new Scene();
    assert(scene.watch().ok, "watched");
    scene.receipt(MONITOR_A, 0);
    scene.receipt(MONITOR_B, 0);
    return scene;
  }

  /** Payload bytes follow from the id unless given, so that offering again is a replay. */
  offer(id: number, steps: readonly UpdateStep[], bytes = `update ${id}`) {
    const stored = this.updates.get(rowKeys.update(this.channel.channelNo, BigInt(id)));
    return this.input({
      kind: "updateOffered",
      nodeKey: NODE,
      channelId: CHANNEL,
      updateId: updateId(id),
      payload: utf8(bytes),
      steps,
      stored,
    });
  }

  receipt(monitor: MonitorKey, id: number, more: { watermark?: number; closed?: boolean } = {}) {
    const atBase = BigInt(id) === this.channel.firstUpdateId - 1n;
    const stored = this.updates.get(rowKeys.update(this.channel.channelNo, BigInt(id)));
    return this.expectOk({
      kind: "receiptsStored",
      monitorKey: monitor,
      storeId: monitor === MONITOR_A ? STORE_A : STORE_B,
      receipts: [
        {
          channelId: CHANNEL,
          updateId: updateId(id),
          updateHash: atBase ? this.channel.genesisHash : must(stored, "update").updateHash,
          afterClose: more.closed ?? false,
          watermark: eventId(more.watermark ?? 0),
          proof: new Uint8Array([id]),
        },
      ],
    });
  }

  /** The monitor's next event; `id` repeats an earlier one. */
  event(monitor: MonitorKey, body: MonitorEventBody, origin = ON_CHAIN, id?: number): Decision {
    const next = id ?? (this.#events.get(monitor) ?? 0) + 1;
    if (id === undefined) this.#events.set(monitor, next);
    return this.expectOk({
      kind: "monitorEvent",
      monitorKey: monitor,
      storeId: monitor === MONITOR_A ? STORE_A : STORE_B,
      channelId: CHANNEL,
      eventId: eventId(next),
      eventHash: hash32(byte(next)),
      subjectKey: subjectOf(body),
      body,
      origin,
      createdAtMs: 1,
    });
  }

  register(payment: PaymentId, part: TestPart, total = 1000): void {
    this.expectOk({
      kind: "paymentRegistered",
      nodeKey: NODE,
      paymentId: payment,
      paymentHash: hashOf(part),
      totalMsat: msat(total),
      isProbe: false,
    });
  }
  closePayment(reason = "no route"): Decision {
    return this.expectOk({
      kind: "paymentClosed",
      nodeKey: NODE,
      paymentId: PAYMENT,
      reason,
    });
  }
  /** The node answers the item with this semantic key. */
  handle(semanticKey: string, abandon?: string): Decision {
    const item = must(this.item(semanticKey), semanticKey);
    const answer =
      abandon === undefined
        ? ({ kind: "handled" } as const)
        : ({ kind: "abandon", reason: abandon } as const);
    const items = [{ itemId: item.itemId, answer }];
    return this.expectOk({ kind: "itemsDone", nodeKey: NODE, items });
  }

  get channel(): ChannelRow {
    return must(this.tables.channel.get(CHANNEL), "channel");
  }
  item(semanticKey: string): ItemRow | undefined {
    return this.tables.item.select("semantic", semanticKey)[0];
  }
  /** Semantic keys of un-handled items, in order of their ids. */
  get open(): readonly string[] {
    return this.tables.item.select("unhandled", NODE).map(({ semanticKey }) => semanticKey);
  }
  inbox(monitor: MonitorKey, id: number): InboxRow | undefined {
    const store = monitor === MONITOR_A ? STORE_A : STORE_B;
    const key = { monitorKey: monitor, storeId: store, channelId: CHANNEL, eventId: eventId(id) };
    return this.tables.inbox.get(rowKeys.inbox(key));
  }
  /** Acks on their way: "A1", "B2". */
  get acks(): readonly string[] {
    return [...this.tables.ack.values()]
      .map((ack) => `${ack.monitorKey === MONITOR_A ? "A" : "B"}${ack.eventId}`)
      .sort();
  }
}
