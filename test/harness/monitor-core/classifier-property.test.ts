/**
 * Every transaction that can spend the funding of a channel with a past is named as what it is, and as one
 * thing only (reliability P-7; onchain-engine 6): both sides' commitments of every number, a mutual close,
 * and commitments the monitor was not told of.
 */
import assert from "node:assert/strict";
import fc from "fast-check";
import { must } from "@farwatch/protocol/assert";
import type { FundingSpendKind } from "@farwatch/protocol/event";
import { txid } from "@farwatch/protocol/ids";
import { counterpartyCommitments } from "@farwatch/monitor-service/monitor/htlcs";
import { step } from "@farwatch/monitor-service/monitor/step";
import { Transaction } from "bitcoinjs-lib";
import { cooperativeCloseTx } from "../channel/cooperative-close.js";
import { danceAction, Dancer } from "./dances.js";
import { bodiesOf } from "./event-rules.js";
import { protectedChannel, type ProtectedChannel } from "./protected-channel.js";
import { CHANNEL_TYPES, fulfill, pay } from "./scenario.js";

const RUNS = 25;
const SEED = 20_261_127;

/** What the monitor calls the transaction, and whether it knows its number. */
function named(p: ProtectedChannel, raw: Uint8Array) {
  const block = p.chain.mine([raw]);
  const done = step(p.ctx, p.state, p.blockInput(block, p.state));
  p.chain.disconnect(1);
  assert.ok(done.ok);
  const [told, ...more] = bodiesOf(done.value.events, "commitmentTxConfirmed");
  assert.deepEqual(more, [], "told once");
  assert.equal(told?.txid, txid(Transaction.fromBuffer(Buffer.from(raw)).getId()));
  assert.equal(done.value.state.spend?.kind, told.spend);
  return told;
}

/** What a counterparty commitment of this number is to the monitor. */
function expected({ state }: ProtectedChannel, number: number): FundingSpendKind {
  if (number > state.counterparty.commitmentNumber) return "unknown";
  const live = counterpartyCommitments(state).map(({ commitmentNumber }) => commitmentNumber);
  if (!live.some((other) => other === number)) return "revoked";
  return number === state.counterparty.commitmentNumber ? "counterparty" : "counterpartyPrevious";
}

function checkAll(p: ProtectedChannel, count: (kind: string) => void): void {
  const { channel, state } = p;
  for (let number = 0; number <= channel.received("counterparty"); number++) {
    const told = named(p, p.commitmentOf("counterparty", number));
    assert.equal(told.spend, expected(p, number));
    assert.equal(told.commitmentNumber, number);
    count(told.spend);
  }
  const ours = [state.holder, state.holderPrevious].map((known) => known?.commitmentNumber);
  for (let number = 0; number <= channel.received("holder"); number++) {
    const told = named(p, p.commitmentOf("holder", number));
    const isKnown = ours.some((other) => other === number);
    assert.equal(told.spend, isKnown ? "holder" : "unknown");
    count(isKnown ? "holder" : "our old one");
  }
}

describe("monitor core: names of what spends the funding", function () {
  this.timeout(30_000);
  for (const channelType of CHANNEL_TYPES) {
    it(`are right for every commitment of a channel's life, ${channelType}`, async () => {
      const counts = new Map<string, number>();
      const count = (kind: string): void => void counts.set(kind, (counts.get(kind) ?? 0) + 1);
      await fc.assert(
        fc.asyncProperty(
          fc.array(danceAction, { minLength: 10, maxLength: 30 }),
          fc.array(danceAction, { maxLength: 10 }),
          fc.boolean(),
          async (told, untold, loseLog) => {
            const p = await protectedChannel({ channelType });
            const dancer = new Dancer(p);
            for (const action of told) await dancer.perform(action);
            if (loseLog) p.forgetLog();
            p.held = [];
            for (const action of untold) await dancer.perform(action);
            checkAll(p, count);
          },
        ),
        { numRuns: RUNS, seed: SEED, endOnFailure: true },
      );
      for (const kind of [
        "counterparty",
        "counterpartyPrevious",
        "revoked",
        "unknown",
        "holder",
        "our old one",
      ]) {
        assert.ok((counts.get(kind) ?? 0) > 2, `${kind}: ${counts.get(kind)}`);
      }
    });

    it(`are right for a mutual close of any age, ${channelType}`, async () => {
      const p = await protectedChannel({ channelType });
      for (const name of ["none", "one", "two"]) {
        if (name !== "none") {
          const [htlc] = await pay(p, { from: "holder", sat: 20_000, name });
          await fulfill(p, must(htlc, "HTLC"), name);
        }
        const told = named(p, cooperativeCloseTx(p.channel, 500n));
        assert.deepEqual([told.spend, told.mutualClose], ["mutual", true]);
        assert.equal(told.commitmentNumber, undefined);
      }
    });
  }
});
