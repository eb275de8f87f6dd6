/**
 * Goal: the follower keeps up with a real bitcoind through new blocks, reorganisations, SIGKILL, a node that
 * comes back with less chain, a node that hangs, and with ZMQ on and off.
 * Method: regtest bitcoind, the production source and follower, a sink in memory that checks order.
 */
import assert from "node:assert/strict";
import { blockHeight, blockHash } from "@farwatch/protocol/block";
import { must } from "@farwatch/protocol/assert";
import { BitcoindRpc } from "@farwatch/monitor-service/chain/bitcoind-rpc";
import { BitcoindSource } from "@farwatch/monitor-service/chain/bitcoind-source";
import { ChainFollower } from "@farwatch/monitor-service/chain/follower";
import { OutpointIndex, TxidIndex } from "@farwatch/monitor-service/chain/outpoint-index";
import { scanBlock } from "@farwatch/monitor-service/chain/scan-block";
import { eventually, recordingLog } from "@farwatch/monitor-service/chain/testing/quiet";
import { RecordingSink } from "@farwatch/monitor-service/chain/testing/recording-sink";
import { systemClock } from "@farwatch/monitor-service/chain/waker";
import { txid } from "@farwatch/protocol/ids";
import { startRegtest, type Regtest } from "../harness/bitcoind/node.js";

const IN_TIME_MS = 20_000;

for (const zmq of [true, false]) {
  describe(`chain follower on bitcoind, ZMQ ${zmq ? "on" : "off"}`, function () {
    this.timeout(120_000);
    let node: Regtest;
    let source: BitcoindSource;
    let sink: RecordingSink;
    let follower: ChainFollower;
    let running: Promise<void>;

    before(async () => {
      node = await startRegtest({ zmq, rest: zmq });
      await node.mine(5);
      const auth = { kind: "cookie", path: node.cookiePath } as const;
      const rpc = new BitcoindRpc({ url: node.rpcUrl, auth, timeoutMs: 2_000 });
      source = await BitcoindSource.open({
        rpc,
        chain: "regtest",
        ...(node.zmqHashblock === undefined ? {} : { zmqHashblock: node.zmqHashblock }),
      });
      const genesis = must(await source.hashAtHeight(blockHeight(0)), "genesis");
      sink = new RecordingSink([must(await source.header(genesis), "genesis header")]);
      follower = new ChainFollower({
        source,
        sink,
        chain: "regtest",
        log: recordingLog(),
        clock: systemClock,
        // With ZMQ on the timer may not help: blocks must arrive by hints alone.
        pollIntervalMs: zmq ? 3_600_000 : 100,
      });
      running = follower.run();
    });
    after(async () => {
      await Promise.all([follower.stop(), source.close()]);
      await running;
      await node.stop();
    });
    const caughtUp = (what: string): Promise<void> =>
      eventually(
        what,
        async () =>
          sink.tip.hash === (await node.bestHash()) && follower.status().state === "synced",
        IN_TIME_MS,
      );

    it("catches up from genesis and follows new blocks", async () => {
      await caughtUp("catch-up");
      await node.mine(1);
      await caughtUp("a block");
      await node.mine(10);
      await caughtUp("ten blocks");
      assert.deepEqual(
        sink.steps,
        Array.from({ length: 16 }, (_, i) => `+${i + 1}`),
      );
    });

    it("finds a funding transaction and its spend in real segwit blocks", async () => {
      const script = Buffer.concat([Buffer.from([0, 32]), Buffer.alloc(32, 7)]);
      const funding = await node.fund(script, 100_000n);
      await node.mine(1);
      await caughtUp("funding block");
      const block = must(sink.blocks.get(sink.tip.height), "block");
      const watch = { outpoints: new OutpointIndex(3), txids: new TxidIndex(3) };
      watch.txids.add(txid(funding.txid), 9);
      const [match, ...others] = scanBlock(block.raw, watch, block.txids);
      assert.equal(others.length, 0);
      assert.equal(match?.txid, funding.txid);
      assert.deepEqual([...(match?.owners ?? [])], [9]);
      assert.deepEqual(Buffer.from(match?.raw ?? []), Buffer.from(funding.rawTx));
    });

    it("follows reorganisations by invalidateblock", async () => {
      for (const depth of [1, 6, 30]) {
        const height = await node.height();
        const first = String(await node.rpc("getblockhash", [height - depth + 1]));
        await node.invalidateBlock(first);
        await node.mineEmpty(depth + 1);
        await caughtUp(`reorg of ${depth}`);
        assert.equal(sink.tip.height, height + 1);
        assert.ok(sink.steps.includes(`-${height - depth}`));
      }
    });

    it("goes on after bitcoind was killed, and takes a shorter chain for a source behind", async () => {
      await node.flush();
      await node.kill9();
      await eventually("outage", () => follower.status().reason === "outage" || zmq, IN_TIME_MS);
      await node.start();
      await node.mine(2);
      await caughtUp("blocks after the kill");

      const tip = sink.tip;
      await node.invalidateBlock(String(await node.rpc("getblockhash", [tip.height - 3])));
      await node.mineEmpty(1); // ZMQ is silent about blocks that go, so it is told of one
      await eventually("behind", () => follower.status().reason === "sourceBehind", IN_TIME_MS);
      assert.equal(sink.tip.hash, tip.hash);
      await node.mineEmpty(4);
      await caughtUp("the other branch");
    });

    it("reports a node that hangs, and goes on when it wakes", async () => {
      if (zmq) await node.mine(1);
      await node.pause();
      try {
        await assert.rejects(source.tip(), /no answer within 2000 ms/);
        if (!zmq) {
          await eventually("hang seen", () => follower.status().reason === "outage", IN_TIME_MS);
        }
      } finally {
        node.resume();
      }
      await node.mine(1);
      await caughtUp("block after the pause");
    });

    it("classifies what the mempool says", async () => {
      const funding = await node.fund(await node.getNewAddress(), 50_000n);
      assert.deepEqual(await source.broadcast(funding.rawTx), { kind: "accepted" });
      const [verdict] = await source.testAccept([funding.rawTx]);
      assert.deepEqual(verdict, { kind: "alreadyKnown" });
      await node.mine(1);
      assert.deepEqual(await source.broadcast(funding.rawTx), { kind: "alreadyKnown" });
      await caughtUp("block");
      const unknown = blockHash("11".repeat(32));
      assert.equal(await source.header(unknown), undefined);
      assert.equal(await source.hashAtHeight(blockHeight(100_000)), undefined);
      await assert.rejects(source.block(unknown), /Block not found/);
    });
  });
}

describe("chain follower on a pruned bitcoind", function () {
  this.timeout(120_000);

  it("stops loudly at a block that was deleted, and reads on where it can", async () => {
    // Block files of 64 KiB, and blocks are deleted only when asked: a debugging option of bitcoind.
    const node = await startRegtest({ extraArgs: ["-fastprune", "-prune=1"] });
    const auth = { kind: "cookie", path: node.cookiePath } as const;
    const rpc = new BitcoindRpc({ url: node.rpcUrl, auth, timeoutMs: 5_000 });
    const source = await BitcoindSource.open({ rpc, chain: "regtest" });
    await node.mineEmpty(700);
    const kept = Number(await node.rpc("pruneblockchain", [400])) + 1;
    const log = recordingLog();
    const followFrom = async (height: number): Promise<ChainFollower> => {
      const known = must(await source.hashAtHeight(blockHeight(height)), "hash");
      const sink = new RecordingSink([must(await source.header(known), "header")]);
      const clock = systemClock;
      const follower = new ChainFollower({ source, sink, chain: "regtest", log, clock });
      void follower.run();
      const settled = (): boolean => follower.status().state !== "catchingUp";
      await eventually("a verdict", settled, IN_TIME_MS);
      await follower.stop();
      return follower;
    };
    assert.ok(kept > 1, "bitcoind has deleted some");
    assert.equal((await followFrom(0)).status().reason, "blockPruned");
    assert.ok(log.lines.some(({ level }) => level === "error"));
    assert.equal((await followFrom(kept)).status().state, "synced");
    await source.close();
    await node.stop();
  });
});
