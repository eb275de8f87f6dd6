/**
 * Splices in the test engine (BOLT 2, "Channel Splicing"): the funding that is locked, those that
 * compete to replace it, and what the same commitment is on each of them. A commitment on a splice
 * follows from the one on the locked funding: same number, points and HTLCs, other values and keys.
 */
import { Transaction } from "bitcoinjs-lib";
import { msat, sat } from "@farwatch/protocol/amount";
import { assert, must } from "@farwatch/protocol/assert";
import type {
  CounterpartyCommitment,
  HolderCommitment,
  InitialState,
  NegotiatedFunding,
  PendingCommitment,
} from "@farwatch/protocol/channel";
import {
  txid,
  txidToInternal,
  type ChannelId,
  type Outpoint,
  type Txid,
} from "@farwatch/protocol/ids";
import type { UpdateStep } from "@farwatch/protocol/update";
import { addFundingWitness, commitmentSighash } from "@farwatch/monitor-service/bolt/commitment-tx";
import { fundingSecret } from "@farwatch/monitor-service/signer/derive-keys";
import {
  assertConserved,
  makeCommitment,
  signaturesVerify,
  signCommitment,
  type SignedCommitment,
} from "./commitment.js";
import type { Half } from "./half.js";
import { Party } from "./party.js";
import { demand } from "./refusal.js";
import { bySide, otherSide, setupOf, SIDES, type ChannelSetup, type Side } from "./setup.js";
import {
  asCounterpartyCommitment,
  asHolderCommitment,
  parametersOf,
  type InitialStateOptions,
} from "./updates.js";

const TX_VERSION = 2;
/** BIP 125: replaceable, as interactive transactions are. */
const RBF_SEQUENCE = 0xfffffffd;

export interface SpliceOptions {
  /** Satoshis each side puts in; negative: takes out. A fee is what no output has. */
  readonly addSat: Partial<Readonly<Record<Side, bigint>>>;
  /** Wallet inputs behind the funding input; whoever owns them signs them. */
  readonly inputs?: readonly Outpoint[];
  /** Outputs behind the new funding. */
  readonly outputs?: readonly { readonly script: Uint8Array; readonly valueSat: bigint }[];
}

export interface FundingHere {
  readonly setup: ChannelSetup;
  readonly funding: Outpoint;
  /** The funding it spends, when it is a splice. */
  readonly parent: Txid | undefined;
}

/** A funding that may replace the locked one. */
export interface Splice extends FundingHere {
  /** Complete but for the witnesses of wallet inputs. */
  readonly tx: Transaction;
  readonly addedSat: Readonly<Record<Side, bigint>>;
  /** The first commitment of each side that was signed for it. */
  readonly from: Readonly<Record<Side, number>>;
}

type Halves = Readonly<Record<Side, Half>>;
type BothSides = Readonly<Record<Side, readonly SignedCommitment[]>>;

/** The channel around it. */
interface ChannelLink {
  readonly channelId: ChannelId;
  halves(): Halves;
  /** Nothing to sign, to revoke or to receive. */
  isQuiet(side: Side): boolean;
  tell(side: Side, step: UpdateStep): Promise<void>;
}

export class Splices {
  locked: FundingHere;
  pending: readonly Splice[] = [];
  /** What each side's monitor was told at first: a splice repeats it. */
  readonly stateOptions = new Map<Side, InitialStateOptions>();
  /** Commitments on fundings that were replaced, as they were then. */
  readonly #replaced = new Map<Txid, BothSides>();
  readonly #setups = new Map<Txid, ChannelSetup>();

  constructor(
    private readonly base: ChannelSetup,
    funding: Outpoint,
    private readonly channel: ChannelLink,
  ) {
    this.locked = { setup: base, funding, parent: undefined };
    this.#setups.set(funding.txid, base);
  }

  /**
   * Negotiates another funding that spends the locked one, or a fee bump of one that is pending, and
   * tells it. Both sides must be quiet (BOLT 2, "Quiescence").
   */
  async negotiate(options: SpliceOptions): Promise<Splice> {
    demand(SIDES.every(this.channel.isQuiet), "notQuiet", "settle everything first");
    const halves = this.channel.halves();
    const parent = this.locked.funding.txid;
    const addedSat = bySide((side) => options.addSat[side] ?? 0n);
    const capacity = this.locked.setup.capacitySat + addedSat.holder + addedSat.counterparty;
    const setup = spliceSetup(this.base, parent, capacity);
    const tx = spliceTx(this.locked, setup, options);
    const funding = { txid: txid(tx.getId()), vout: 0 };
    const from = bySide((side) => halves[side].commitments.length - 1);
    const splice = { setup, funding, parent, tx, addedSat, from };
    const known = this.#setups.has(funding.txid);
    demand(!known, "unknownFunding", "a splice needs another transaction than those before");
    this.#setups.set(funding.txid, setup);
    this.pending = [...this.pending, splice];
    for (const side of SIDES) await this.channel.tell(side, this.#renegotiated(splice, side));
    return splice;
  }

  /** splice_locked of both sides: newer commitments are on this funding alone. */
  async lock(splice: Splice): Promise<void> {
    demand(this.pending.includes(splice), "unknownFunding", "no such splice is pending");
    const halves = this.channel.halves();
    const before = bySide((side) => [...halves[side].commitments]);
    this.#replaced.set(this.locked.funding.txid, before);
    for (const other of this.pending) {
      if (other !== splice) this.#replaced.set(other.funding.txid, allOn(other, before));
    }
    const after = allOn(splice, before);
    for (const side of SIDES)
      halves[side].commitments.splice(0, before[side].length, ...after[side]);
    this.locked = splice;
    this.pending = [];
    const { txid: fundingTxid } = splice.funding;
    for (const side of SIDES) {
      await this.channel.tell(side, { kind: "renegotiatedFundingLocked", fundingTxid });
    }
  }

  setupOn(funding: Outpoint): ChannelSetup {
    const setup = this.#setups.get(funding.txid);
    demand(setup !== undefined, "unknownFunding", "not a funding of this channel");
    return setup;
  }

  /** `side`'s commitment `number` on any funding the channel has or had; default: the newest. */
  commitmentOn({ txid: id }: Outpoint, side: Side, number?: number): SignedCommitment {
    const halves = this.channel.halves();
    const here = bySide((each) => halves[each].commitments);
    const splice = this.pending.find((each) => each.funding.txid === id);
    const known = splice === undefined ? this.#replaced.get(id) : allOn(splice, here);
    const all = id === this.locked.funding.txid ? here[side] : known?.[side];
    const found = all?.[number ?? all.length - 1];
    const isThere = found !== undefined && spentBy(found) === id;
    demand(isThere, "noSuchCommitment", `${side} has no commitment ${number} there`);
    return found;
  }

  // ---- what monitors are told ----

  holderOnPending(commitment: SignedCommitment): readonly PendingCommitment<HolderCommitment>[] {
    return this.pending.map((splice) => ({
      funding: splice.funding,
      commitment: asHolderCommitment(onSplice(splice, commitment)),
    }));
  }

  counterpartyOnPending(
    commitment: SignedCommitment,
  ): readonly PendingCommitment<CounterpartyCommitment>[] {
    return this.pending.map((splice) => ({
      funding: splice.funding,
      commitment: asCounterpartyCommitment(onSplice(splice, commitment)),
    }));
  }

  /** What WatchChannel would carry now, for a monitor that joins late; both sides must be quiet. */
  stateNow(side: Side, options: InitialStateOptions = {}): InitialState {
    const now = (here: FundingHere): NegotiatedFunding => {
      const ours = this.commitmentOn(here.funding, side);
      const theirs = this.commitmentOn(here.funding, otherSide(side));
      return {
        parameters: this.#parameters(here, side, options),
        holderCommitment: asHolderCommitment(ours),
        counterpartyCommitment: asCounterpartyCommitment(theirs),
      };
    };
    const { bestBlock } = options;
    return {
      ...now(this.locked),
      pendingFundings: this.pending.map(now),
      manualBroadcast: false,
      revokedSecrets: [],
      bestBlock,
      ldkMonitor: undefined,
      earlier: undefined,
    };
  }

  #renegotiated(splice: Splice, viewer: Side): UpdateStep {
    const { funding, from } = splice;
    const options = this.stateOptions.get(viewer) ?? {};
    const theirs = otherSide(viewer);
    return {
      kind: "renegotiatedFunding",
      parameters: this.#parameters(splice, viewer, options),
      holderCommitment: asHolderCommitment(this.commitmentOn(funding, viewer, from[viewer])),
      counterpartyCommitment: asCounterpartyCommitment(
        this.commitmentOn(funding, theirs, from[theirs]),
      ),
    };
  }

  /** The channel keeps its id and all but the funding. */
  #parameters({ setup, funding, parent }: FundingHere, side: Side, options: InitialStateOptions) {
    return {
      ...parametersOf(setup, funding, side, options),
      channelId: this.channel.channelId,
      spliceParentFundingTxid: parent,
    };
  }
}

const spentBy = ({ built }: SignedCommitment): Txid => {
  const [input] = built.tx.ins;
  return txid(Buffer.from(must(input, "funding input").hash).reverse().toString("hex"));
};

const allOn = (splice: Splice, commitments: BothSides): BothSides =>
  bySide((side) =>
    commitments[side].map((commitment) =>
      commitment.number < splice.from[side] ? commitment : onSplice(splice, commitment),
    ),
  );

/** The same commitment on a splice, signed by the other side. */
export function onSplice(
  { setup, funding, addedSat }: Splice,
  { side, number, state }: SignedCommitment,
): SignedCommitment {
  const balanceMsat = bySide((each) => msat(state.balanceMsat[each] + addedSat[each] * 1000n));
  const commitment = makeCommitment(setup, funding, side, number, { ...state, balanceMsat });
  assertConserved(setup, commitment);
  const signatures = signCommitment(setup, commitment);
  assert(signaturesVerify(setup, commitment, signatures), "both sides build the same commitment");
  return { ...commitment, ...signatures };
}

/** Both sides tweak their funding keys with the txid of the funding that is spliced. */
function spliceSetup(base: ChannelSetup, parent: Txid, capacitySat: bigint): ChannelSetup {
  return setupOf({
    ...base,
    capacitySat: sat(capacitySat),
    sides: bySide((side) => ({
      ...base.sides[side],
      party: spliced(base.sides[side].party, parent),
    })),
  });
}

const spliced = ({ curve, channelKeysId, identity, secrets }: Party, parent: Txid): Party =>
  new Party(curve, channelKeysId, identity, {
    ...secrets,
    funding: fundingSecret(curve, secrets.funding, parent),
  });

function spliceTx(from: FundingHere, to: ChannelSetup, options: SpliceOptions): Transaction {
  const tx = new Transaction();
  tx.version = TX_VERSION;
  for (const { txid: id, vout } of [from.funding, ...(options.inputs ?? [])]) {
    tx.addInput(txidToInternal(id), vout, RBF_SEQUENCE);
  }
  tx.addOutput(to.fundingScriptPubkey, to.capacitySat);
  for (const { script, valueSat } of options.outputs ?? []) tx.addOutput(script, valueSat);
  const { setup } = from;
  const digest = commitmentSighash(tx, setup.fundingWitnessScript, setup.capacitySat);
  const signatures = bySide((side) => setup.sides[side].party.sign({ kind: "funding" }, digest));
  const keys = bySide((side) => setup.sides[side].party.pubkeys.fundingPubkey);
  addFundingWitness(tx, keys.holder, signatures.holder, keys.counterparty, signatures.counterparty);
  return tx;
}
