/**
 * The publisher and the operator's wallet: our commitment with a child, as a package. Written before it is
 * sent, sent again as it is, replaced with the same coins at a higher feerate, the same after a restart.
 */
import assert from "node:assert/strict";
import { Transaction } from "bitcoinjs-lib";
import { must } from "@farwatch/protocol/assert";
import { outpointKey } from "@farwatch/protocol/ids";
import { parseTx } from "@farwatch/monitor-service/tx/parsed-tx";
import { feerates, protectedChannel } from "../../harness/monitor-core/protected-channel.js";
import { counterpartyCloses } from "../../harness/monitor-core/scenario.js";
import { BumpDesk, closing, inputsOf, refused } from "./bump-desk.js";

describe("publisher: a child for our commitment", () => {
  it("goes out with its parent as a package, written first", async () => {
    const d = await closing();
    await d.block();
    assert.deepEqual(d.order, ["written", "sent"]);
    const [parent, child] = must(d.sent[0], "a package").map(parseTx);
    assert.ok(parent !== undefined && child !== undefined);
    assert.equal(parent.txid, d.p.state.holder.txid);
    assert.equal(child.inputs[0]?.outpoint.txid, parent.txid);
    assert.equal(child.inputs[0]?.witness.length, 2, "signature and anchor script");
    assert.equal(d.rows[0]?.feeratePerKw, d.wallet.rates[0]);
    assert.ok(d.wallet.kept.size > 0);
    await d.ask();
    assert.equal(d.sent.length, 1, "once a block");
    assert.deepEqual(d.warnings, []);
  });

  it("is replaced with the same coins as its feerate rises, and left alone while it does not", async () => {
    const d = await closing();
    for (let block = 0; block < 3; block++) {
      await d.block();
      d.enterMempool(d.last());
    }
    const [first, second, third] = d.sent.map((sent) => parseTx(must(sent[1], "child")));
    assert.ok(first !== undefined && second !== undefined && third !== undefined);
    assert.notEqual(second.txid, first.txid);
    const coins = (tx: typeof first) => tx.inputs.map(({ outpoint }) => outpointKey(outpoint));
    assert.deepEqual([coins(second), coins(third)], [coins(first), coins(first)]);
    const rates = d.wallet.rates.map(Number);
    assert.deepEqual(rates, [2_000, 2_500, 3_125]);
    assert.equal(d.rows.length, 1);
    d.publisher.rebroadcast([d.entry]);
    await d.publisher.idle();
    assert.equal(d.sent.length, 3, "bitcoind has it");
    d.mempool.clear();
    d.publisher.rebroadcast([d.entry]);
    await d.publisher.idle();
    assert.deepEqual(d.last(), d.last(2), "bitcoind has lost it");
    assert.equal(d.wallet.asked.length, 3);
  });

  it("is the same after a restart, and its coins stay its own", async () => {
    const d = await closing();
    await d.block();
    const before = d.last();
    d.restart();
    await d.ask();
    assert.deepEqual(d.last(), before);
    assert.equal(d.wallet.asked.length, 1);
    await d.block();
    assert.equal(d.wallet.asked.length, 2);
    assert.deepEqual(
      d.wallet.uses[1]?.own.map(outpointKey),
      inputsOf(before).slice(1),
      "the replacement spends the same coins",
    );
  });

  it("is not needed while the commitment pays enough itself", async () => {
    const d = await closing();
    await d.ask(); // no block yet: the lowest feerate, which is the commitment's own
    assert.deepEqual(d.wallet.asked, []);
    assert.deepEqual(
      d.sent.map((sent) => sent.length),
      [1],
    );
  });

  it("lets the commitment go alone when the wallet cannot pay, is missing, or is refused", async () => {
    const d = await closing();
    d.wallet.refuses = "Insufficient funds";
    await d.block();
    assert.deepEqual(
      d.sent.map((sent) => sent.length),
      [1],
    );
    assert.deepEqual(d.warnings, ["Insufficient funds"]);
    const without = await closing();
    without.hasWallet = false;
    without.restart();
    await without.block();
    assert.deepEqual(
      without.sent.map((sent) => sent.length),
      [1],
    );
    assert.deepEqual(without.warnings, ["no wallet is configured"]);
    const bad = await closing();
    bad.answers.push(refused("policy"));
    await bad.block();
    assert.deepEqual(
      bad.sent.map((sent) => sent.length),
      [2, 1],
    );
    assert.deepEqual([bad.rows.length, bad.wallet.kept.size], [0, 0]);
  });

  it("of a zero-fee commitment is all that makes sense to send", async () => {
    const p = await protectedChannel({ channelType: "zero_fee_commitments" });
    await p.channel.forceClose("holder", true);
    p.feerates = feerates(2_000);
    const d = new BumpDesk(p);
    d.wallet.refuses = "Insufficient funds";
    await d.block();
    assert.equal(d.sent.length, 0);
    assert.deepEqual(d.warnings, ["Insufficient funds", "no fee, so it is not relayed"]);
    d.wallet.refuses = undefined;
    await d.block();
    assert.deepEqual(
      d.sent.map((sent) => sent.length),
      [2],
    );
    const child = Transaction.fromBuffer(d.last());
    assert.equal(child.version, 3);
    assert.deepEqual(child.ins[0]?.witness, []);
  });

  it("is forgotten 6 deep, whoever's commitment confirmed, and not before", async () => {
    const d = await closing();
    await d.block();
    counterpartyCloses(d.p);
    for (let deep = 1; deep < 6; deep++) {
      await d.ask();
      assert.equal(d.rows.length, 1, `${deep} deep: a reorg may want it again`);
      d.p.mine();
    }
    await d.ask();
    assert.deepEqual([d.rows.length, d.wallet.kept.size], [0, 0]);
    assert.equal(d.sent.filter(({ length }) => length === 2).length, 1);
  });

  it("asks again after an outage, in the same block", async () => {
    const d = await closing();
    d.down = true;
    await d.block();
    assert.equal(d.sent.length, 0);
    d.down = false;
    d.publisher.retryFailed();
    await d.publisher.idle();
    assert.equal(d.sent.length, 1);
    d.publisher.retryFailed();
    await d.publisher.idle();
    assert.equal(d.sent.length, 1);
  });
});
