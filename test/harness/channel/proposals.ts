/**
 * The changes both sides have proposed, and which proposals BOLT 2 allows: update_add_htlc within what
 * every later commitment can carry, one removal per HTLC and only by its receiver, update_fee by the
 * opener. What is refused leaves no trace.
 */
import { msat, sat, type FeeratePerKw, type Msat, type Sat } from "@farwatch/protocol/amount";
import type { BlockHeight } from "@farwatch/protocol/block";
import type { HtlcSource } from "@farwatch/protocol/channel";
import {
  hashOfPreimage,
  htlcId,
  type ChannelId,
  type PaymentHash,
  type Preimage,
} from "@farwatch/protocol/ids";
import type { HtlcFailReason } from "@farwatch/protocol/update";
import { ANCHOR_SAT, channelTypeRules } from "@farwatch/protocol/bolt/channel-type";
import { commitmentFeeSat } from "@farwatch/protocol/bolt/weights";
import {
  highestFeerate,
  htlcKey,
  liveHtlcs,
  lowestBalanceMsat,
  nothingIncluded,
  type Change,
  type Htlc,
  type HtlcRef,
  type Included,
  type LedgerState,
  type Logs,
  type Removal,
} from "./ledger.js";
import { demand } from "./refusal.js";
import { bySide, otherSide, SIDES, type ChannelSetup, type Side } from "./setup.js";
import { defaultSource } from "./sources.js";

/** Length of the failure onion in BOLT 4: HMAC 32, failure and padding 2 + 256 + 2. */
const FAILURE_PACKET_BYTES = 292;

export interface AddHtlc {
  readonly amountMsat: Msat;
  readonly paymentHash: PaymentHash;
  readonly cltvExpiry: BlockHeight;
  /** Default: an own payment that nobody named. */
  readonly source?: HtlcSource;
  readonly skimmedFeeMsat?: Msat;
}

/** The newest state of each side's commitment. */
export type Latest = readonly LedgerState[];

export class Proposals {
  readonly #logs: Record<Side, Change[]> = { holder: [], counterparty: [] };
  readonly #htlcs = new Map<string, { readonly htlc: Htlc; readonly index: number }>();
  /** Claimed or failed by their receiver, or about to be. */
  readonly #removed = new Set<string>();
  readonly #nextHtlcId: Record<Side, bigint> = { holder: 0n, counterparty: 0n };

  constructor(
    private readonly setup: ChannelSetup,
    private readonly channelId: ChannelId,
  ) {}

  get logs(): Logs {
    return this.#logs;
  }

  /** How many changes each side has proposed. */
  count(): Included {
    return bySide((side) => this.#logs[side].length);
  }

  add(from: Side, add: AddHtlc, latest: Latest): Htlc {
    demand(add.amountMsat > 0n, "badAmount", "an HTLC moves at least 1 msat");
    const live = liveHtlcs(this.#logs, latest).filter((htlc) => htlc.offeredBy === from);
    const { maxHtlcsPerSide } = channelTypeRules(this.setup.channelType);
    demand(live.length < maxHtlcsPerSide, "tooManyHtlcs", `${from} offers the most allowed`);
    const id = htlcId(this.#nextHtlcId[from]);
    const source = add.source ?? defaultSource(this.channelId, from, id, add.amountMsat);
    const htlc: Htlc = { ...add, offeredBy: from, id, source };
    const index = this.#logs[from].length;
    this.#propose(from, { kind: "add", htlc }, latest);
    this.#nextHtlcId[from] = id + 1n;
    this.#htlcs.set(htlcKey(htlc), { htlc, index });
    return htlc;
  }

  changeFee(from: Side, feerate: FeeratePerKw, latest: Latest): void {
    const { opener, channelType } = this.setup;
    demand(from === opener, "notOpener", "only the opener sends update_fee");
    const { commitmentPaysFee } = channelTypeRules(channelType);
    demand(commitmentPaysFee, "feerateIsZero", `${channelType} has no update_fee`);
    this.#propose(from, { kind: "fee", feeratePerKw: feerate }, latest);
  }

  /**
   * Takes an HTLC for removal; nobody else can remove it then. `committed` are the states in which it
   * must stand: BOLT 2 removes only what is irrevocably committed on both sides.
   */
  takeForRemoval(ref: HtlcRef, committed: Latest, preimage?: Preimage): Htlc {
    const known = this.#htlcs.get(htlcKey(ref));
    demand(known !== undefined, "unknownHtlc", `${htlcKey(ref)} was never offered`);
    demand(!this.#removed.has(htlcKey(ref)), "alreadyRemoved", htlcKey(ref));
    const everywhere = committed.every((state) => state.included[ref.offeredBy] > known.index);
    demand(everywhere, "notCommitted", `${htlcKey(ref)} is not irrevocably committed`);
    const opens = preimage === undefined || hashOfPreimage(preimage) === known.htlc.paymentHash;
    demand(opens, "wrongPreimage", "it does not open the payment hash");
    this.#removed.add(htlcKey(ref));
    return known.htlc;
  }

  /** Proposes the removal of an HTLC taken before. */
  remove(removal: Removal): void {
    this.#logs[otherSide(removal.htlc.offeredBy)].push(removal);
  }

  /** Takes back what `from` proposed after its first `kept` changes: no commitment includes it. */
  forget(from: Side, kept: number): void {
    for (const change of this.#logs[from].splice(kept).reverse()) {
      if (change.kind === "fee") continue;
      const key = htlcKey(change.htlc);
      if (change.kind !== "add") this.#removed.delete(key);
      else {
        this.#htlcs.delete(key);
        this.#nextHtlcId[from] = change.htlc.id;
      }
    }
  }

  #propose(from: Side, change: Change, latest: Latest): void {
    const log = this.#logs[from];
    log.push(change);
    const problem = affordabilityProblem(this.setup, this.#logs, latest, from);
    if (problem !== undefined) log.pop();
    demand(problem === undefined, "insufficientFunds", problem ?? "");
  }
}

/** The proposer keeps its reserve, and the opener can pay for the largest commitment to come. */
function affordabilityProblem(
  setup: ChannelSetup,
  logs: Logs,
  latest: Latest,
  proposer: Side,
): string | undefined {
  const { opener, sides } = setup;
  const feerate = highestFeerate(logs, latest, opener);
  const cost = openerCostSat(setup, feerate, liveHtlcs(logs, latest).length);
  for (const side of SIDES) {
    const reserve = side === proposer ? sides[side].reserveSat : 0n;
    const needed = (reserve + (side === opener ? cost : 0n)) * 1000n;
    const balance = lowestBalanceMsat(logs, latest, side);
    if (balance < needed) return `${side} would have ${balance} msat and needs ${needed}`;
  }
  return undefined;
}

/** What a commitment with that many untrimmed HTLCs takes from the opener: fee and anchors. */
export function openerCostSat(
  { channelType }: ChannelSetup,
  feerate: FeeratePerKw,
  htlcs: number,
): Sat {
  const anchors = channelTypeRules(channelType).anchors === "keyed" ? 2n * ANCHOR_SAT : 0n;
  return sat(commitmentFeeSat(channelType, feerate, htlcs) + anchors);
}

export const onionFailure = (): HtlcFailReason => ({
  cause: { kind: "onionError", packet: new Uint8Array(FAILURE_PACKET_BYTES) },
  holdTime: undefined,
  attributionData: undefined,
});

/** Of commitment 0 of both sides; refuses when the opener cannot pay its fee. */
export function firstState(setup: ChannelSetup, pushedMsat: Msat): LedgerState {
  const { opener, initialFeeratePerKw, capacitySat } = setup;
  const rest = capacitySat * 1000n - pushedMsat;
  const cost = openerCostSat(setup, initialFeeratePerKw, 0) * 1000n;
  demand(rest >= cost, "insufficientFunds", "the opener cannot pay the first commitment");
  return {
    included: nothingIncluded,
    balanceMsat: bySide((side) => (side === opener ? msat(rest) : pushedMsat)),
    htlcs: [],
    feeratePerKw: initialFeeratePerKw,
  };
}
