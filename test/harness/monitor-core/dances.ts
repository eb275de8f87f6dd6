/** Random lives of a channel before it closes, for the property tests. Impossible actions are skipped. */
import fc from "fast-check";
import type { PaymentHash } from "@farwatch/protocol/ids";
import type { Htlc } from "../channel/ledger.js";
import { ChannelRefusal } from "../channel/refusal.js";
import type { Side } from "../channel/setup.js";
import { offer, secretNamed, type Secret } from "../channel/test-channel.js";
import type { ProtectedChannel } from "./protected-channel.js";

const side = fc.constantFrom<Side>("holder", "counterparty");
export const danceAction = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant("add" as const),
      side,
      // Trimmed, or worth claiming at the feerates of these tests.
      amountSat: fc.oneof(
        { weight: 1, arbitrary: fc.integer({ min: 1, max: 300 }) },
        { weight: 4, arbitrary: fc.integer({ min: 5_000, max: 60_000 }) },
      ),
      expiry: fc.integer({ min: 540, max: 560 }),
      name: fc.constantFrom("a", "b", "c", "d"),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constantFrom("fulfill" as const, "fail" as const),
      pick: fc.nat(20),
    }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("settle" as const) }) },
  {
    weight: 5,
    arbitrary: fc.record({
      kind: fc.constantFrom("sign" as const, "receive" as const, "revoke" as const),
      side,
    }),
  },
);
export type DanceAction = typeof danceAction extends fc.Arbitrary<infer T> ? T : never;

export class Dancer {
  readonly offered: Htlc[] = [];
  readonly secrets = new Map<PaymentHash, Secret>();

  constructor(readonly p: ProtectedChannel) {}

  async perform(action: DanceAction): Promise<void> {
    try {
      await this.#perform(action);
    } catch (error) {
      if (!(error instanceof ChannelRefusal)) throw error;
    }
  }

  async #perform(action: DanceAction): Promise<void> {
    const { channel } = this.p;
    switch (action.kind) {
      case "add": {
        const secret = secretNamed(action.name);
        this.secrets.set(secret.paymentHash, secret);
        const { amountSat, expiry, name } = action;
        this.offered.push(offer(channel, action.side, amountSat, name, expiry));
        return;
      }
      case "fulfill":
      case "fail": {
        const htlc = this.offered[action.pick % Math.max(this.offered.length, 1)];
        const secret = htlc === undefined ? undefined : this.secrets.get(htlc.paymentHash);
        if (htlc === undefined || secret === undefined) return;
        if (action.kind === "fail") channel.failHtlc(htlc);
        else await channel.fulfillHtlc(htlc, secret.preimage);
        return;
      }
      case "sign":
        await channel.signCommitment(action.side);
        return;
      case "receive":
        return channel.receiveNext(action.side);
      case "revoke":
        await channel.revoke(action.side);
        return;
      case "settle":
        return channel.settle();
    }
  }
}
