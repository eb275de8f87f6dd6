/**
 * Goal: a Core Lightning node's cheater is punished by hosts that hold no key of the channel. Method: real
 * processes; the plugin gets hand-written hooks with real penalty transactions; monitors are killed with -9 on
 * both sides of the cheat; what was spent, by whom and where is read back from bitcoind.
 */
import assert from "node:assert/strict";
import { Transaction } from "bitcoinjs-lib";
import { must } from "@farwatch/protocol/assert";
import { toHex } from "@farwatch/protocol/bytes";
import { txid } from "@farwatch/protocol/ids";
import { startRegtest, type Regtest } from "../harness/bitcoind/node.js";
import { broadcastableCommitment } from "../harness/channel/broadcast.js";
import { createChannel, type Channel } from "../harness/channel/channel.js";
import { penaltyTransaction } from "../harness/channel/penalty.js";
import { offer, secretNamed, testChannelOptions } from "../harness/channel/test-channel.js";
import { Lightningd } from "../harness/cln/lightningd.js";
import { findSpend, isSpentInMempool, until } from "../harness/cluster/chain-facts.js";
import { createCluster, type Cluster } from "../harness/cluster/cluster.js";
import { FUNDING_DEPTH, signFunding } from "../harness/cluster/funding.js";

const CONTINUE = { result: "continue" };
const DEEP = 6;

describe("penalties of a Core Lightning node, held without keys", () => {
  let bitcoind: Regtest;
  let cluster: Cluster;
  let node: Lightningd;
  before(async () => {
    bitcoind = await startRegtest({ zmq: true });
    await bitcoind.mine(101);
    cluster = await createCluster({ bitcoind, seed: undefined, monitors: 2 });
    await cluster.startAll();
    const { address, caFile, certFile, keyFile, nodeKey } = cluster.nodeAccess;
    node = new Lightningd({
      nodeId: nodeKey,
      options: {
        "farwatch-manager": address,
        "farwatch-ca": caFile,
        "farwatch-cert": certFile,
        "farwatch-key": keyFile,
      },
    });
    assert.deepEqual(await node.start(), {});
  });
  after(async () => {
    await node.end();
    await cluster.stop();
    await bitcoind.stop();
  });

  /** A funded channel with three revoked commitments of the counterparty. */
  async function openChannel(): Promise<Channel> {
    const plan = createChannel(testChannelOptions);
    const { capacitySat } = plan.setup;
    const funding = await signFunding(bitcoind, plan.fundingScriptPubkey, capacitySat);
    const channel = plan.open({ txid: txid(funding.txid), vout: funding.vout });
    await bitcoind.rpc("sendrawtransaction", [funding.rawTx]);
    await bitcoind.mine(FUNDING_DEPTH);
    for (const name of ["one", "two"]) {
      const htlc = offer(channel, "counterparty", 20_000, name);
      await channel.settle();
      await channel.fulfillHtlc(htlc, secretNamed(name).preimage);
      await channel.settle();
    }
    assert.ok(channel.revokedBelow("counterparty") >= 3);
    return channel;
  }

  const hookOf = (channel: Channel, number: number) => ({
    jsonrpc: "2.0",
    id: `cln:commitment_revocation#${channel.channelId.slice(0, 8)}/${number}`,
    method: "commitment_revocation",
    params: {
      commitment_txid: channel.commitment("counterparty", number).built.txid,
      penalty_tx: toHex(penaltyTransaction(channel, "counterparty", number)),
      channel_id: channel.channelId,
      commitnum: number,
    },
  });
  const revoke = async (channel: Channel, number: number): Promise<void> => {
    assert.deepEqual(await node.ask(hookOf(channel, number)), CONTINUE);
  };
  const handedOver = (): Promise<void> =>
    until("an empty queue", async () => (await node.status()).queued === 0);
  const logged = (pattern: RegExp): Promise<void> =>
    until(`${pattern}: ${node.log.join(" | ")}`, () => node.log.some((line) => pattern.test(line)));
  const toLocalOf = (channel: Channel, number: number) => {
    const { built } = channel.commitment("counterparty", number);
    return { txid: built.txid, vout: must(built.toLocalIndex, "to_local") };
  };
  const penaltyTxid = (channel: Channel, number: number): string =>
    Transaction.fromBuffer(penaltyTransaction(channel, "counterparty", number)).getId();
  const cheat = async (channel: Channel, number: number): Promise<void> => {
    const raw = broadcastableCommitment(channel, "counterparty", number);
    await bitcoind.rpc("sendrawtransaction", [toHex(raw)]);
    await bitcoind.mine(1);
  };

  it("punishes while one monitor is dead, and tells when both died on the way", async () => {
    const [a, b] = cluster.monitors;
    assert.ok(a !== undefined && b !== undefined);
    const channel = await openChannel();
    for (const number of [0, 1, 2]) await revoke(channel, number);
    await handedOver();

    await a.process.kill9();
    await cheat(channel, 1);
    const place = toLocalOf(channel, 1);
    await until("a penalty in the mempool", () => isSpentInMempool(bitcoind, place));
    await b.process.kill9();
    await node.kill9();
    const from = await bitcoind.height();
    await bitcoind.mine(1);
    await Promise.all([a.process.start(), b.process.start(), node.start()]);
    await bitcoind.mine(DEEP);
    const spend = await findSpend(bitcoind, place, from);
    assert.equal(spend?.txid, penaltyTxid(channel, 1));

    await logged(/^broken: farwatch: the peer of channel .* cheated: revoked commitment/);
    await logged(
      new RegExp(`^unusual: .*penalty transaction ${penaltyTxid(channel, 1)} confirmed`),
    );
    const monitors = await Promise.all(
      cluster.monitors.map(async (monitor) => {
        const client = monitor.connect();
        await until("every event acked", async () => {
          const view = await client.channel(channel.channelId);
          return view.nextEventId === 3n && view.unackedEventIds.length === 0;
        });
        const view = await client.channel(channel.channelId);
        client.close();
        return view.penaltyOnly;
      }),
    );
    for (const status of monitors) {
      assert.equal(status?.penaltyTransactions, 3n);
      assert.deepEqual(
        status.seen.map(({ spends }) => spends.map(({ ours }) => ours)),
        [[true]],
      );
    }
  });

  it("punishes a commitment that confirmed before its penalty could be handed over", async () => {
    const channel = await openChannel();
    await cluster.manager.kill9();
    await revoke(channel, 0);
    await cheat(channel, 0);
    await bitcoind.mine(2);
    const place = toLocalOf(channel, 0);
    assert.notEqual(await bitcoind.rpc("gettxout", [place.txid, place.vout, true]), null);
    await cluster.manager.start();
    await until("a late penalty in the mempool", () => isSpentInMempool(bitcoind, place));
    const from = await bitcoind.height();
    await bitcoind.mine(1);
    assert.equal((await findSpend(bitcoind, place, from))?.txid, penaltyTxid(channel, 0));
  });

  it("keeps no key and logs no error", () => {
    for (const { process } of cluster.monitors) {
      const text = process.log.join("\n");
      assert.match(text, /no channel keys: only penalty-only channels are taken/);
      assert.doesNotMatch(text, /"level":"(error|fatal)"/);
    }
  });
});
