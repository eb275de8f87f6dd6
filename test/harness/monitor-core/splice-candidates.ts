/**
 * As candidates.ts for a channel with splices: every splice, commitments the counterparty holds on any
 * funding, what follows from the one that confirmed, and what we publish.
 */
import { outpointKey, type Outpoint } from "@farwatch/protocol/ids";
import { must } from "@farwatch/protocol/assert";
import { draftOf, finishedTx, fullySigned } from "../channel/broadcast.js";
import { claimAfterTimeout, claimWithPreimage } from "../channel/claims.js";
import { untrimmed, type SignedCommitment } from "../channel/commitment.js";
import { ChannelRefusal } from "../channel/refusal.js";
import type { Side } from "../channel/setup.js";
import type { Splice } from "../channel/splice.js";
import { NOWHERE } from "../channel/test-channel.js";
import type { Secrets } from "./candidates.js";
import type { ProtectedChannel } from "./protected-channel.js";
import { rawOf } from "./splicing.js";

export class SpliceCandidates {
  /** Building one on a splice builds all before it; they never change. */
  readonly #known = new Map<string, SignedCommitment | undefined>();

  constructor(
    private readonly p: ProtectedChannel,
    private readonly secrets: Secrets,
    private readonly splices: readonly Splice[],
  ) {}

  /** Some of those that fit into the next block together. */
  pick(picks: readonly number[]): readonly Uint8Array[] {
    const chosen: Uint8Array[] = [];
    for (const pick of picks) {
      const all = this.#all(chosen);
      const raw = all[pick % Math.max(all.length, 1)];
      if (raw !== undefined) chosen.push(raw);
    }
    return chosen;
  }

  /** Which funding the close in the chain spends. */
  closedOn(): Outpoint | undefined {
    return this.#fundings().find((funding) => this.#closeOn(funding) !== undefined);
  }

  /** What may stand behind `before` in the next block. */
  #all(before: readonly Uint8Array[]): readonly Uint8Array[] {
    const { p } = this;
    const theirs = this.#fundings().flatMap((funding) => {
      const close = this.#closeOn(funding);
      return close === undefined ? this.#closings(funding) : this.#resolutions(funding, close);
    });
    const all = [
      // Twice, among so many commitments.
      ...this.splices.map(rawOf),
      ...this.splices.map(rawOf),
      ...theirs,
      ...p.published().map(({ raw }) => raw),
    ].filter((raw) => !before.some((other) => Buffer.from(other).equals(raw)));
    return before.length === 0
      ? all.filter((raw) => p.chain.hindrance(raw) === undefined)
      : all.filter((raw) => p.chain.fits([...before, raw]));
  }

  #fundings(): readonly Outpoint[] {
    return [NOWHERE, ...this.splices.map(({ funding }) => funding)];
  }

  #closings(funding: Outpoint): readonly Uint8Array[] {
    const { channel } = this.p;
    const held = Array.from({ length: channel.received("counterparty") + 1 }, (_, at) =>
      this.#commitment(funding, "counterparty", at),
    );
    const ours = this.#commitment(funding, "holder", channel.received("holder"));
    return [...held, ours]
      .filter((commitment) => commitment !== undefined)
      .map((commitment) => fullySigned(channel.splices.setupOn(funding), commitment));
  }

  #closeOn(funding: Outpoint): SignedCommitment | undefined {
    const spender = this.p.chain.spenderOf(funding);
    if (spender === undefined) return undefined;
    const { channel } = this.p;
    for (const side of ["holder", "counterparty"] as const) {
      for (let at = 0; at <= channel.commitment(side).number; at++) {
        const commitment = this.#commitment(funding, side, at);
        if (commitment?.built.txid === spender) return commitment;
      }
    }
    return undefined;
  }

  /** What the counterparty can do with the HTLC outputs of a commitment. */
  #resolutions(funding: Outpoint, commitment: SignedCommitment): readonly Uint8Array[] {
    const setup = this.p.channel.splices.setupOn(funding);
    const here = { setup, commitment: () => commitment };
    const { side, number } = commitment;
    return untrimmed(commitment).map(({ htlc, offered }) => {
      const { preimage } = must(this.secrets.get(htlc.paymentHash), "secret");
      if (side === "counterparty") {
        return finishedTx(draftOf(setup, commitment, htlc, offered ? undefined : preimage));
      }
      return offered
        ? claimWithPreimage(here, side, number, htlc, preimage)
        : claimAfterTimeout(here, side, number, htlc);
    });
  }

  #commitment(funding: Outpoint, side: Side, at: number): SignedCommitment | undefined {
    const key = `${outpointKey(funding)} ${side} ${at}`;
    const known = this.#known.get(key);
    if (known !== undefined || this.#known.has(key)) return known;
    const found = orNone(() => this.p.channel.splices.commitmentOn(funding, side, at));
    this.#known.set(key, found);
    return found;
  }
}

/** Not every commitment was signed for every funding. */
function orNone<T>(build: () => T): T | undefined {
  try {
    return build();
  } catch (error) {
    if (error instanceof ChannelRefusal) return undefined;
    throw error;
  }
}
