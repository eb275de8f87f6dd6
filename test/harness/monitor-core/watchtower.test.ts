/**
 * Watchtower helpers (onchain-engine 15): every commitment of the counterparty comes back as it would
 * confirm, and a justice transaction for a revoked one may really stand in the next block.
 */
import assert from "node:assert/strict";
import { Transaction } from "bitcoinjs-lib";
import { feeratePerKw, msat } from "@farwatch/protocol/amount";
import { must } from "@farwatch/protocol/assert";
import type { CounterpartyCommitment } from "@farwatch/protocol/channel";
import {
  buildJustice,
  counterpartyCommitmentsInState,
  counterpartyTx,
  type Justice,
} from "@farwatch/monitor-service/monitor/watchtower";
import { seedSigner } from "../channel/seed-signer.js";
import { DEFAULT_SEEDS } from "../channel/setup.js";
import { protectedChannel, type ProtectedChannel } from "./protected-channel.js";
import { CHANNEL_TYPES, fulfill, number, pay } from "./scenario.js";

const DESTINATION = Uint8Array.from([0, 20, ...new Uint8Array(20).fill(0x5a)]);
const RATE = 1_000;

/** All that the update log has. */
const commitments = (p: ProtectedChannel): readonly CounterpartyCommitment[] => [
  p.initial.counterparty,
  ...p.updates
    .flat()
    .flatMap((step) => (step.kind === "latestCounterpartyCommitment" ? [step.commitment] : [])),
];

const describeTx = (p: ProtectedChannel, commitment: CounterpartyCommitment) =>
  must(counterpartyTx(p.ctx, p.state, commitment), "on a funding of the channel");

function signed(p: ProtectedChannel, { task, finish }: Justice): Uint8Array {
  const { channelKeysId } = p.state.parameters;
  const signer = seedSigner(p.ctx.curve, DEFAULT_SEEDS.holder, p.floors);
  return finish(must(signer.sign(channelKeysId, [task])[0], "one signature"));
}

const justiceFor = (p: ProtectedChannel, commitment: CounterpartyCommitment, rate = RATE) =>
  buildJustice(p.ctx, p.state, describeTx(p, commitment), {
    feeratePerKw: feeratePerKw(rate),
    destinationScript: DESTINATION,
  });

for (const channelType of CHANNEL_TYPES) {
  const used = async () => {
    const p = await protectedChannel({ channelType });
    const [ours] = await pay(
      p,
      { from: "holder", sat: 20_000, name: "ours", expiry: 600 },
      { from: "counterparty", sat: 30_000, name: "theirs", expiry: 610 },
    );
    await fulfill(p, must(ours, "ours"), "ours");
    return p;
  };

  describe(`monitor core: watchtower helpers of ${channelType}`, () => {
    it("give every commitment of the counterparty as the transaction it would broadcast", async () => {
      const p = await used();
      const all = commitments(p);
      assert.equal(all.length, number(p, "counterparty") + 1);
      for (const commitment of all) {
        const { built } = p.channel.commitment("counterparty", commitment.commitmentNumber);
        const found = describeTx(p, commitment);
        assert.deepEqual(found.unsignedTx, Uint8Array.from(built.tx.toBuffer()));
        assert.equal(found.toLocal?.vout, built.toLocalIndex);
        assert.equal(found.toLocal?.valueSat, commitment.toBroadcasterSat);
        assert.equal(found.revoked, commitment.commitmentNumber < number(p, "counterparty"));
      }
      assert.deepEqual(counterpartyCommitmentsInState(p.state), [all.at(-1)]);
    });

    it("sign justice for each revoked one, good for the next block after it", async () => {
      const p = await used();
      for (const commitment of commitments(p).slice(0, -1)) {
        const justice = justiceFor(p, commitment);
        assert.ok(justice.ok);
        const raw = signed(p, justice.value);
        const tx = Transaction.fromBuffer(raw);
        assert.equal(tx.getId(), justice.value.txid);
        p.chain.mine([p.commitmentOf("counterparty", commitment.commitmentNumber)]);
        assert.equal(p.chain.hindrance(raw), undefined);
        assert.equal(p.chain.feeSat(raw), justice.value.feeSat);
        assert.deepEqual(tx.outs[0]?.script, DESTINATION);
        assert.equal(tx.outs[0].value, justice.value.valueSat);
        p.chain.disconnect(1);
      }
    });

    it("pay the feerate for the weight with the longest witness, rounded up", async () => {
      const p = await used();
      const [first] = commitments(p);
      for (const rate of [253, 1_001, 7_777]) {
        const justice = justiceFor(p, must(first, "first"), rate);
        assert.ok(justice.ok);
        // 82 bytes without witness: 10 + 41 + 31.
        assert.equal(justice.value.feeSat, BigInt(Math.ceil((rate * (4 * 82 + 155)) / 1000)));
        assert.ok(signed(p, justice.value).length <= 82 + 2 + 155);
      }
    });

    it("refuse what is not revoked, and an output that the fee would take", async () => {
      const p = await used();
      const [current] = counterpartyCommitmentsInState(p.state);
      const early = justiceFor(p, must(current, "current"));
      assert.ok(!early.ok && early.error.reason === "notRevoked");
      const [first] = commitments(p);
      const { toBroadcasterSat } = must(first, "first");
      const most = Math.floor(((Number(toBroadcasterSat) - 294) * 1000) / (4 * 82 + 155));
      const edge = justiceFor(p, must(first, "first"), most);
      assert.ok(edge.ok);
      assert.ok(edge.value.valueSat >= 294n, "the dust limit of P2WPKH");
      const over = justiceFor(p, must(first, "first"), most + 2);
      assert.ok(!over.ok && over.error.reason === "nothingToClaim");
    });

    it("refuse a commitment without to_local", async () => {
      const p = await protectedChannel({ channelType, pushMsat: msat(0) });
      await pay(p, { from: "holder", sat: 20_000, name: "ours" });
      const [first] = commitments(p);
      assert.equal(must(first, "first").toBroadcasterSat, 0n);
      const justice = justiceFor(p, must(first, "first"));
      assert.ok(!justice.ok && justice.error.reason === "nothingToClaim");
    });

    it("know no commitment on a funding the channel never had", async () => {
      const p = await used();
      const [first] = commitments(p);
      const altered = { ...must(first, "first"), toBroadcasterSat: p.state.holder.toLocalSat };
      assert.equal(counterpartyTx(p.ctx, p.state, altered), undefined);
    });
  });
}
