/**
 * A channel between two nodes in one object: real commitments, real signatures, and the dance of BOLT 2
 * in steps small enough to stop anywhere. It plays the Lightning node in tests and in the demo. What a
 * node would tell its monitor comes out of `onUpdate`; a message leaves only after that resolved.
 */
import { msat, type FeeratePerKw } from "@farwatch/protocol/amount";
import { assert, must } from "@farwatch/protocol/assert";
import { equalBytes } from "@farwatch/protocol/bytes";
import type { InitialState } from "@farwatch/protocol/channel";
import {
  commitmentNumber,
  type ChannelId,
  type Outpoint,
  type Preimage,
} from "@farwatch/protocol/ids";
import type { HtlcFailReason, UpdateStep } from "@farwatch/protocol/update";
import {
  assertConserved,
  makeCommitment,
  signaturesVerify,
  signCommitment,
  type Commitment,
  type SignedCommitment,
} from "./commitment.js";
import {
  acknowledged,
  newest,
  newHalf,
  nextForPeer,
  nextForSelf,
  type CommitmentSigned,
  type DanceMessage,
  type Half,
  type RevokeAndAck,
} from "./half.js";
import {
  advance,
  liveHtlcs,
  newChanges,
  type Htlc,
  type HtlcRef,
  type LedgerState,
} from "./ledger.js";
import { firstState, onionFailure, Proposals, type AddHtlc } from "./proposals.js";
import { demand } from "./refusal.js";
import {
  bySide,
  channelIdOf,
  otherSide,
  resolveSetup,
  SIDES,
  type ChannelSetup,
  type SetupOptions,
  type Side,
} from "./setup.js";
import { Splices } from "./splice.js";
import {
  asCounterpartyCommitment,
  holderStep,
  initialStateOf,
  parametersOf,
  type InitialStateOptions,
} from "./updates.js";

/** Called for every update of a protected side, in order; the dance waits for what it returns. */
export type UpdateHook = (steps: readonly UpdateStep[], side: Side) => Promise<void> | void;

export interface ChannelOptions extends SetupOptions {
  readonly onUpdate?: UpdateHook;
  /** Sides whose updates are told. Default: the holder only. */
  readonly protectedSides?: readonly Side[];
}

/** An agreed channel whose funding is not chosen yet: pay `fundingScriptPubkey`, then open. */
export interface ChannelPlan {
  readonly setup: ChannelSetup;
  readonly fundingScriptPubkey: Uint8Array;
  /** Cross-signs commitment 0 of both sides; refuses when the opener cannot pay its fee. */
  open(funding: Outpoint): Channel;
}

export function createChannel(options: ChannelOptions): ChannelPlan {
  const setup = resolveSetup(options);
  return {
    setup,
    fundingScriptPubkey: setup.fundingScriptPubkey,
    open: (funding) => new Channel(setup, funding, options),
  };
}

export class Channel {
  readonly channelId: ChannelId;
  readonly #halves: Readonly<Record<Side, Half>>;
  readonly #proposals: Proposals;
  readonly #closed = new Set<Side>();
  readonly #told: Record<Side, Promise<unknown>> = {
    holder: Promise.resolve(),
    counterparty: Promise.resolve(),
  };

  /** The locked funding and what may replace it. */
  readonly splices: Splices;

  constructor(
    setup: ChannelSetup,
    funding: Outpoint,
    private readonly options: ChannelOptions,
  ) {
    this.channelId = channelIdOf(funding);
    this.splices = new Splices(setup, funding, {
      channelId: this.channelId,
      halves: () => this.#halves,
      isQuiet: (side) =>
        !this.canSign(side) && !this.owesRevocation(side) && this.onItsWayTo(side) === undefined,
      tell: (side, step) => this.#tell(side, [step]),
    });
    this.#proposals = new Proposals(setup, this.channelId);
    const state = firstState(setup, options.pushMsat ?? msat(0));
    this.#halves = bySide((side) => newHalf(this.#signed(this.#build(side, 0, state))));
  }

  /** Of the locked funding. */
  get setup(): ChannelSetup {
    return this.splices.locked.setup;
  }

  get funding(): Outpoint {
    return this.splices.locked.funding;
  }

  // ---- proposals: update_add_htlc, update_fulfill_htlc, update_fail_htlc, update_fee ----

  /** Offers an HTLC. Refuses what some later commitment could not carry. */
  addHtlc(from: Side, add: AddHtlc): Htlc {
    this.#demandOpen(from);
    return this.#proposals.add(from, add, this.#latest());
  }

  /** The receiver claims an HTLC; its monitor is told the preimage before the fulfil is proposed. */
  async fulfillHtlc(ref: HtlcRef, preimage: Preimage): Promise<void> {
    const htlc = this.#takeForRemoval(ref, preimage);
    await this.learnPreimage(otherSide(htlc.offeredBy), preimage);
    this.#proposals.remove({ kind: "fulfill", htlc, preimage });
  }

  /** As fulfillHtlc, when the preimage reached the monitor another way (a preimage record). */
  fulfillKnownHtlc(ref: HtlcRef, preimage: Preimage): void {
    const htlc = this.#takeForRemoval(ref, preimage);
    this.#proposals.remove({ kind: "fulfill", htlc, preimage });
  }

  /** The receiver fails an HTLC; the reason travels raw. */
  failHtlc(ref: HtlcRef, reason: HtlcFailReason = onionFailure()): void {
    const htlc = this.#takeForRemoval(ref);
    this.#proposals.remove({ kind: "fail", htlc, reason });
  }

  /** The opener changes the feerate of later commitments. */
  updateFee(from: Side, feerate: FeeratePerKw): void {
    this.#demandOpen(from);
    this.#proposals.changeFee(from, feerate, this.#latest());
  }

  /** BOLT 2, reestablish: what `from` proposed and no commitment includes is forgotten. */
  forgetProposals(from: Side): void {
    this.#proposals.forget(from, newest(this.#halves[otherSide(from)]).state.included[from]);
  }

  // ---- commitment_signed and revoke_and_ack ----

  /** True when `from` has something to sign and may sign now. */
  canSign(from: Side): boolean {
    return this.#signingHindrance(from) === undefined;
  }

  /** Signs the peer's next commitment. The message leaves when `from`'s monitor has it. */
  async signCommitment(from: Side): Promise<CommitmentSigned> {
    this.#demandOpen(from);
    const hindrance = this.#signingHindrance(from);
    demand(hindrance === undefined, hindrance ?? "nothingToSign", `${from} cannot sign now`);
    const to = otherSide(from);
    const included = nextForPeer(from, this.#halves, this.#proposals.count());
    const previous = newest(this.#halves[to]);
    const state = advance(this.#proposals.logs, previous.state, included);
    const commitment = this.#signed(this.#build(to, previous.number + 1, state));
    this.#halves[to].commitments.push(commitment);
    const told = asCounterpartyCommitment(commitment);
    const pending = this.splices.counterpartyOnPending(commitment);
    await this.#tell(from, [{ kind: "latestCounterpartyCommitment", commitment: told, pending }]);
    const { number, signature, htlcSignatures } = commitment;
    const covers = included[from];
    const kind = "commitmentSigned";
    return this.#send({ kind, from, number, signature, htlcSignatures, covers });
  }

  /** Takes the peer's commitment_signed: builds the commitment anew, verifies, tells the monitor. */
  async receiveCommitment(to: Side): Promise<SignedCommitment> {
    this.#demandOpen(to);
    const half = this.#halves[to];
    const message = this.#nextMessage(to);
    demand(message.kind === "commitmentSigned", "outOfOrder", "a revocation comes first");
    demand(half.revoked === half.received, "revokeFirst", `${to} has not revoked yet`);
    const previous = must(half.commitments[half.received], "newest received");
    const included = nextForSelf(to, half, message.covers);
    const state = advance(this.#proposals.logs, previous.state, included);
    const built = this.#build(to, previous.number + 1, state);
    assert(signaturesVerify(this.setup, built, message), "both sides build the same commitment");
    this.#halves[otherSide(to)].sent.shift();
    half.received += 1;
    const { signature, htlcSignatures } = message;
    const commitment: SignedCommitment = { ...built, signature, htlcSignatures };
    half.commitments[half.received] = commitment;
    const { logs } = this.#proposals;
    const dropped = newChanges(logs, otherSide(to), previous.state.included, included);
    const pending = this.splices.holderOnPending(commitment);
    await this.#tell(to, [holderStep(commitment, dropped, pending)]);
    return commitment;
  }

  /** Revokes `side`'s previous commitment. The message leaves when its monitor has the new one. */
  async revoke(side: Side): Promise<RevokeAndAck> {
    this.#demandOpen(side);
    demand(this.owesRevocation(side), "nothingToRevoke", "no newer commitment was received");
    const half = this.#halves[side];
    const number = commitmentNumber(half.revoked);
    half.revoked += 1;
    await this.#told[side];
    const { party } = this.setup.sides[side];
    return this.#send({
      kind: "revokeAndAck",
      from: side,
      number,
      secret: party.secrets.perCommitment(number),
      nextPerCommitmentPoint: party.perCommitmentPoint(number + 2),
    });
  }

  /** True when `side` has received a commitment and not yet revoked the one before. */
  owesRevocation(side: Side): boolean {
    return this.#halves[side].received > this.#halves[side].revoked;
  }

  /** Takes the peer's revoke_and_ack: checks the secret and tells the monitor. */
  async receiveRevocation(to: Side): Promise<void> {
    this.#demandOpen(to);
    const half = this.#halves[to];
    const peer = this.#halves[otherSide(to)];
    const message = this.#nextMessage(to);
    demand(message.kind === "revokeAndAck", "outOfOrder", "a commitment comes first");
    const { number, secret } = message;
    const revoked = must(peer.commitments[half.peerRevoked], "the commitment it revokes");
    const opens = equalBytes(this.setup.curve.publicKey(secret), revoked.keys.perCommitmentPoint);
    assert(number === revoked.number && opens, "the secret opens the revoked commitment's point");
    peer.sent.shift();
    half.peerRevoked += 1;
    half.ackedByPeer = must(peer.commitments[half.peerRevoked], "its successor").state.included[to];
    await this.#tell(to, [{ kind: "commitmentSecret", commitmentNumber: number, secret }]);
  }

  /** What `to` would receive next; undefined: nothing is on its way. */
  onItsWayTo(to: Side): DanceMessage | undefined {
    return this.#halves[otherSide(to)].sent[0];
  }

  /** Takes whatever is on its way to `to`. */
  async receiveNext(to: Side): Promise<void> {
    if (this.#nextMessage(to).kind === "revokeAndAck") return this.receiveRevocation(to);
    await this.receiveCommitment(to);
  }

  /** Completes the dance in both directions: afterwards both commitments include every change. */
  async settle(): Promise<void> {
    let moved = true;
    while (moved) {
      moved = false;
      for (const side of SIDES) {
        if (await this.#takeStep(side)) moved = true;
      }
    }
  }

  async #takeStep(side: Side): Promise<boolean> {
    if (this.owesRevocation(side)) await this.revoke(side);
    else if (this.onItsWayTo(side) !== undefined) await this.receiveNext(side);
    else if (this.canSign(side)) await this.signCommitment(side);
    else return false;
    return true;
  }

  // ---- what else a node tells its monitor ----

  /** Tells `side`'s monitor a preimage and sends nothing. Legal in every state. */
  async learnPreimage(side: Side, preimage: Preimage): Promise<void> {
    await this.#tell(side, [{ kind: "paymentPreimage", preimage, paymentInfo: undefined }]);
  }

  /** Tells `side`'s monitor where a cooperative close will pay. */
  async shutdown(side: Side, scriptPubkey: Uint8Array): Promise<void> {
    this.#demandOpen(side);
    await this.#tell(side, [{ kind: "shutdownScript", scriptPubkey }]);
  }

  /** `side` gives up: its monitor is told, and it takes no further part in the dance. */
  async forceClose(side: Side, shouldBroadcast = true, reason = "test"): Promise<void> {
    this.#demandOpen(side);
    this.#closed.add(side);
    await this.#tell(side, [{ kind: "channelForceClosed", shouldBroadcast, reason }]);
  }

  /** What WatchChannel carries for one side. */
  initialState(side: Side = "holder", options: InitialStateOptions = {}): InitialState {
    this.splices.stateOptions.set(side, options);
    return initialStateOf(
      parametersOf(this.setup, this.funding, side, options),
      this.commitment(side, 0),
      this.commitment(otherSide(side), 0),
      options,
    );
  }

  // ---- looking at it ----

  /** `side`'s own commitment as the peer signed it; default: the newest, on its way or not. */
  commitment(side: Side, number?: number): SignedCommitment {
    const { commitments } = this.#halves[side];
    const found = commitments[number ?? commitments.length - 1];
    demand(found !== undefined, "noSuchCommitment", `${side} has no commitment ${number}`);
    return found;
  }

  /** Number of the newest commitment that `side` has received. */
  received(side: Side): number {
    return this.#halves[side].received;
  }

  /** `side`'s commitments below this number are revoked. */
  revokedBelow(side: Side): number {
    return this.#halves[side].revoked;
  }

  /** HTLCs in the newest commitment of either side, or proposed for it. */
  liveHtlcs(): readonly Htlc[] {
    return liveHtlcs(this.#proposals.logs, this.#latest());
  }

  #latest(): readonly LedgerState[] {
    return SIDES.map((side) => newest(this.#halves[side]).state);
  }

  #build(side: Side, number: number, state: LedgerState): Commitment {
    const commitment = makeCommitment(this.setup, this.funding, side, number, state);
    assertConserved(this.setup, commitment);
    return commitment;
  }

  #signed(commitment: Commitment): SignedCommitment {
    return { ...commitment, ...signCommitment(this.setup, commitment) };
  }

  #takeForRemoval(ref: HtlcRef, preimage?: Preimage): Htlc {
    const remover = otherSide(ref.offeredBy);
    this.#demandOpen(remover);
    const half = this.#halves[remover];
    const peers = this.commitment(ref.offeredBy, half.peerRevoked);
    return this.#proposals.takeForRemoval(ref, [acknowledged(half).state, peers.state], preimage);
  }

  #signingHindrance(from: Side): "awaitingRevocation" | "nothingToSign" | undefined {
    const { number, state } = newest(this.#halves[otherSide(from)]);
    if (this.#halves[from].peerRevoked < number) return "awaitingRevocation";
    const next = nextForPeer(from, this.#halves, this.#proposals.count());
    const changed = SIDES.some((side) => next[side] > state.included[side]);
    return changed ? undefined : "nothingToSign";
  }

  #nextMessage(to: Side): DanceMessage {
    const message = this.onItsWayTo(to);
    demand(message !== undefined, "nothingToReceive", `nothing is on its way to ${to}`);
    return message;
  }

  #send<M extends DanceMessage>(message: M): M {
    this.#halves[message.from].sent.push(message);
    return message;
  }

  /** Resolves when this update and all earlier ones of the side are where the hook takes them. */
  #tell(side: Side, steps: readonly UpdateStep[]): Promise<void> {
    const { onUpdate, protectedSides = ["holder"] } = this.options;
    if (onUpdate === undefined || !protectedSides.includes(side)) return Promise.resolve();
    const earlier = this.#told[side];
    const told = Promise.all([earlier, onUpdate(steps, side)]).then(() => undefined);
    this.#told[side] = told;
    return told;
  }

  #demandOpen(side: Side): void {
    demand(!this.#closed.has(side), "closed", `${side} has given the channel up`);
  }
}
