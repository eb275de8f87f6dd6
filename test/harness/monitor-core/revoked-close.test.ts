/**
 * A revoked commitment confirms (BOLT 5, "Revoked Transaction Close Handling"): every output of the
 * cheater's is taken, also behind a second-stage transaction that confirms first; live HTLCs end right.
 */
import assert from "node:assert/strict";
import { txid } from "@farwatch/protocol/ids";
import { Transaction } from "bitcoinjs-lib";
import { htlcSuccessTx, htlcTimeoutTx } from "../channel/broadcast.js";
import { secretNamed } from "../channel/test-channel.js";
import { protectedChannel } from "./protected-channel.js";
import {
  assertClaims,
  CHANNEL_TYPES,
  counterpartyCloses,
  fulfill,
  htlcOutpoint,
  number,
  outcomes,
  pay,
  revokedOutputs,
  spendable,
  spendKind,
} from "./scenario.js";

const firstOutput = (raw: Uint8Array) => ({
  txid: txid(Transaction.fromBuffer(raw).getId()),
  vout: 0,
});

for (const channelType of CHANNEL_TYPES) {
  /** One settled HTLC each way in the revoked commitment. */
  const settledInBoth = async () => {
    const p = await protectedChannel({ channelType });
    const [ours, theirs] = await pay(
      p,
      { from: "holder", sat: 20_000, name: "ours", expiry: 600 },
      { from: "counterparty", sat: 30_000, name: "theirs", expiry: 610 },
    );
    assert.ok(ours !== undefined && theirs !== undefined);
    return { p, ours, theirs, old: number(p, "counterparty") };
  };

  describe(`monitor core: revoked commitments of ${channelType}`, () => {
    it("takes to_local and both HTLC outputs, settled HTLCs tell nothing more", async () => {
      const { p, ours, theirs, old } = await settledInBoth();
      await fulfill(p, ours, "ours");
      await fulfill(p, theirs, "theirs");
      assert.deepEqual(outcomes(p, ours), ["claimed:update"]);
      counterpartyCloses(p, old);
      assert.equal(spendKind(p), "revoked");
      assertClaims(p, revokedOutputs(p, old));
      const all = p.minePublished("justice");
      assert.deepEqual(p.published(), []);
      p.mineEmpty(4);
      assert.equal(
        spendable(p).filter((key) => all.some(({ txid: id }) => key === `${id}:0`)).length,
        0,
      );
      p.mineEmpty(1);
      for (const { txid: id } of all) assert.ok(spendable(p).includes(`${id}:0`));
      p.mineEmpty(20);
      assert.deepEqual(outcomes(p, ours), ["claimed:update"]);
      assert.deepEqual(p.state.claims, []);
      assert.deepEqual(p.state.tracked, []);
    });

    it("takes the outputs of the cheater's second stage when that confirms first", async () => {
      const { p, ours, theirs, old } = await settledInBoth();
      await fulfill(p, ours, "ours");
      await fulfill(p, theirs, "theirs");
      p.mineTo(609);
      counterpartyCloses(p, old);
      const success = htlcSuccessTx(
        p.channel,
        "counterparty",
        old,
        ours,
        secretNamed("ours").preimage,
      );
      p.mine(success);
      const timeout = htlcTimeoutTx(p.channel, "counterparty", old, theirs);
      p.mine(timeout);
      const [toLocal] = revokedOutputs(p, old);
      assert.ok(toLocal !== undefined);
      assertClaims(p, [toLocal, firstOutput(success), firstOutput(timeout)]);
      p.minePublished("justice");
      assert.deepEqual(p.published(), []);
      p.mineEmpty(6);
      assert.deepEqual(outcomes(p, ours), ["claimed:update"]);
      assert.deepEqual(p.state.claims, []);
    });

    // On anchor channels the second stage waits one block.
    const oneBlock = channelType === "static_remote_key";
    if (oneBlock)
      it("takes them when both confirm in one block", async () => {
        const { p, ours, theirs, old } = await settledInBoth();
        await fulfill(p, ours, "ours");
        await fulfill(p, theirs, "theirs");
        p.mineTo(610);
        const { channel } = p;
        const success = htlcSuccessTx(
          channel,
          "counterparty",
          old,
          ours,
          secretNamed("ours").preimage,
        );
        const timeout = htlcTimeoutTx(channel, "counterparty", old, theirs);
        p.mine(p.commitmentOf("counterparty", old), success, timeout);
        const [toLocal] = revokedOutputs(p, old);
        assert.ok(toLocal !== undefined);
        assertClaims(p, [toLocal, firstOutput(success), firstOutput(timeout)]);
      });

    it("tells a preimage the cheater reveals for a live HTLC at once", async () => {
      const { p, ours, old } = await settledInBoth();
      await pay(p, { from: "holder", sat: 25_000, name: "newer" });
      counterpartyCloses(p, old);
      p.mine(htlcSuccessTx(p.channel, "counterparty", old, ours, secretNamed("ours").preimage));
      assert.deepEqual(outcomes(p, ours), ["claimed:chain"]);
      p.minePublished("justice");
      p.mineEmpty(10);
      assert.deepEqual(outcomes(p, ours), ["claimed:chain"]);
    });

    it("fails a live HTLC 6 deep: taken back by us, or absent from the commitment", async () => {
      const { p, ours, old } = await settledInBoth();
      const [absent, dust] = await pay(
        p,
        { from: "holder", sat: 25_000, name: "absent" },
        { from: "holder", sat: 100, name: "dust" },
      );
      assert.ok(absent !== undefined && dust !== undefined);
      counterpartyCloses(p, old);
      p.mineEmpty(2);
      assert.ok(
        p
          .published("justice")
          .some(({ raw }) =>
            p.chain
              .inputsOf(raw)
              .some(({ vout }) => vout === htlcOutpoint(p, "counterparty", old, ours).vout),
          ),
      );
      p.minePublished("justice");
      p.mineEmpty(1);
      assert.deepEqual(outcomes(p, absent), []);
      p.mineEmpty(1);
      assert.deepEqual(outcomes(p, absent), ["failed:chain"]);
      assert.deepEqual(outcomes(p, dust), ["failed:chain"]);
      p.mineEmpty(2);
      assert.deepEqual(outcomes(p, ours), [], "its spend is 5 deep");
      p.mineEmpty(1);
      assert.deepEqual(outcomes(p, ours), ["failed:chain"]);
    });

    it("takes to_local although the log does not know the commitment", async () => {
      const { p, ours, theirs, old } = await settledInBoth();
      await fulfill(p, ours, "ours");
      await fulfill(p, theirs, "theirs");
      p.forgetLog();
      counterpartyCloses(p, old);
      assert.equal(spendKind(p), "revoked");
      assertClaims(p, revokedOutputs(p, old).slice(0, 1));
    });
  });
}
