/**
 * The node between the channels of a Hops, as contract section 1 wants it: it removes an inbound HTLC only
 * when commanded to, a claim replaces a fail that the peer does not have, and what it says is true. It is
 * what a property test compares the manager with: it knows how each HTLC really ended.
 */
import type { CommandResult } from "../input.js";
import type { Hops } from "./hops.js";
import type { Incoming } from "./htlcs.js";
import { labelOfHtlc } from "./labels.js";

type Answer = "claim" | "fail";
interface Held {
  readonly answer: Answer;
  /** held: in the holding cell; sent: the peer has it; gone: the peer revoked the last commitment. */
  readonly stage: "held" | "sent" | "gone";
}

export class ObedientNode {
  readonly #answers = new Map<Incoming, Held>();
  /** Results that have not reached the manager yet. */
  #results: { readonly itemId: bigint; readonly result: CommandResult }[] = [];
  #epoch = 1n;

  constructor(readonly hops: Hops) {}

  /** How the HTLC left the channel; undefined: it is still there. */
  endOf(htlc: Incoming): Answer | undefined {
    const held = this.#answers.get(htlc);
    return held?.stage === "gone" ? held.answer : undefined;
  }
  isOpen({ on }: Incoming): boolean {
    return this.hops.channel(on).closed === undefined;
  }

  /** Carries out the command about this HTLC, if there is one; the peer may be away. */
  obey(htlc: Incoming, peerIsThere: boolean): void {
    for (const wanted of ["claim", "fail"] as const) {
      const item = this.hops.openItem(`${wanted} ${labelOfHtlc(htlc)}`);
      if (item === undefined) continue;
      const result = this.#carryOut(htlc, wanted, peerIsThere);
      this.#results.push({ itemId: item.itemId, result });
    }
  }
  /** The results reach the manager; what they answer may be withdrawn by then. */
  report(): void {
    for (const { itemId, result } of this.#results.splice(0)) {
      this.hops.done([{ itemId, answer: { kind: "command", result } }]);
    }
  }
  #carryOut(htlc: Incoming, wanted: Answer, peerIsThere: boolean): CommandResult {
    const known = this.#answers.get(htlc);
    if (!this.isOpen(htlc)) return "channelClosed";
    if (known?.stage === "sent" && known.answer === wanted) return "sent";
    if (known?.stage === "sent") return "alreadyRemoving";
    if (known?.stage === "gone") return known.answer === wanted ? "sent" : "notFound";
    if (known?.answer === "claim" && wanted === "fail") return "alreadyRemoving";
    this.#answers.set(htlc, { answer: wanted, stage: peerIsThere ? "sent" : "held" });
    return peerIsThere ? "sent" : "queued";
  }

  /** The peer is back: what was held is sent. */
  flush(htlc: Incoming): void {
    const held = this.#answers.get(htlc);
    if (held?.stage === "held" && this.isOpen(htlc)) {
      this.#answers.set(htlc, { ...held, stage: "sent" });
    }
  }
  /** The commitments without the HTLC are signed and the old one revoked. */
  finish(htlc: Incoming): void {
    const held = this.#answers.get(htlc);
    if (held?.stage !== "sent" || !this.isOpen(htlc)) return;
    this.hops.remove(htlc);
    this.#answers.set(htlc, { ...held, stage: "gone" });
  }
  /** Starts again; neither the holding cell nor a result on its way is kept. */
  restart(): void {
    this.#results = [];
    for (const [htlc, { stage }] of this.#answers) {
      if (stage === "held") this.#answers.delete(htlc);
    }
    this.#epoch += 1n;
    this.hops.session(this.#epoch);
  }
}
