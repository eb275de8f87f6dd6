/**
 * Goal: the bitcoind provider gives tests a node they can mine on, fund from, reorganise and kill.
 * Method: one real regtest bitcoind, every method of the harness once.
 */
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { startRegtest, type Regtest } from "../harness/bitcoind/node.js";

describe("regtest bitcoind of the test harness", function () {
  this.timeout(120_000);
  let node: Regtest;
  before(async () => {
    node = await startRegtest({ zmq: true });
  });
  after(() => node.stop());

  it("refuses a non-standard transaction", () => node.assertStandardness());

  it("funds a script and mines the funding transaction", async () => {
    const script = Buffer.concat([Buffer.from([0, 32]), Buffer.alloc(32, 7)]);
    const funding = await node.fund(script, 1_000_000n);
    assert.deepEqual(await node.mempool(), [funding.txid]);
    const [hash] = await node.mine(1);
    const out = await node.rpc("gettxout", [funding.txid, funding.vout]);
    assert.ok(typeof out === "object" && out !== null && "bestblock" in out);
    assert.equal(out.bestblock, hash);
  });

  it("mines a block without the mempool's transactions, and one with a chosen transaction", async () => {
    const funding = await node.fund(await node.getNewAddress(), 50_000n);
    await node.mineEmpty(1);
    assert.deepEqual(await node.mempool(), [funding.txid]);
    await node.generateBlock([funding.txid]);
    assert.deepEqual(await node.mempool(), []);
  });

  it("goes back and forth with invalidateBlock and reconsiderBlock", async () => {
    const height = await node.height();
    const tip = await node.bestHash();
    await node.invalidateBlock(tip);
    assert.equal(await node.height(), height - 1);
    await node.reconsiderBlock(tip);
    assert.equal(await node.bestHash(), tip);
    await node.invalidateBlock(tip);
    const [other] = await node.mineEmpty(1);
    assert.notEqual(other, tip);
  });

  it("keeps its flushed chain over SIGKILL and its wallet over a restart", async () => {
    const [hash] = await node.mine(1);
    await node.flush();
    await node.kill9();
    assert.equal(node.isRunning, false);
    await node.start();
    assert.equal(await node.bestHash(), hash);
    const first = node.pid;
    await node.restart();
    assert.notEqual(node.pid, first);
    await node.fund(await node.getNewAddress(), 10_000n);
  });

  it("removes its folder when it stops", async () => {
    const other = await startRegtest({ rest: false });
    assert.ok(existsSync(other.cookiePath));
    await other.stop();
    assert.equal(existsSync(other.datadir), false);
  });
});
