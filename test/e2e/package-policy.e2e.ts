/**
 * The question that tells an operator whether their bitcoind can close zero_fee_commitments channels,
 * put to a real one: with Core's policy, and with Knots' own where this bitcoind has one. No coin moves.
 * Then what the answer promises: packages of such a channel, with every size of anchor.
 */
import assert from "node:assert/strict";
import { BitcoindRpc } from "@farwatch/monitor-service/chain/bitcoind-rpc";
import { BitcoindSource } from "@farwatch/monitor-service/chain/bitcoind-source";
import { probePackageRelay } from "@farwatch/monitor-service/chain/relay-probe";
import { Transaction } from "bitcoinjs-lib";
import { z } from "zod";
import { msat, sat } from "@farwatch/protocol/amount";
import { toHex } from "@farwatch/protocol/bytes";
import { selectCurve } from "@farwatch/protocol/curve/select-curve";
import { txid } from "@farwatch/protocol/ids";
import { MAX_HTLCS_PER_SIDE_V3 } from "@farwatch/protocol/bolt/channel-type";
import { startRegtest, type Regtest } from "../harness/bitcoind/node.js";
import { anchorChild } from "../harness/channel/anchor-child.js";
import { broadcastableCommitment, secondStageDraft } from "../harness/channel/broadcast.js";
import { createChannel } from "../harness/channel/channel.js";
import { claimWithPreimage, sweepToRemote } from "../harness/channel/claims.js";
import { SIDES } from "../harness/channel/setup.js";
import { offer, secretNamed } from "../harness/channel/test-channel.js";
import { withWalletFee } from "../harness/channel/wallet-fee.js";

const SCRIPT = Uint8Array.of(0, 20, ...new Uint8Array(20).fill(5));

async function ask(node: Regtest) {
  const { user, password, rpcUrl: url } = node;
  const rpc = new BitcoindRpc({ url, auth: { kind: "password", user, password } });
  const source = await BitcoindSource.open({ rpc, chain: "regtest" });
  const verdict = await probePackageRelay({ rpc, source });
  await source.close();
  return verdict;
}

describe("bitcoind's package policy", () => {
  let node: Regtest | undefined;
  afterEach(() => node?.stop());

  it("Core's: unknown without a coin, relayed with one, and the mempool stays empty", async () => {
    node = await startRegtest();
    await node.mine(2);
    assert.equal((await ask(node)).relay, "unknown");
    for (const coinSat of [200_000n, 2_000_000_000n]) {
      await node.fund(SCRIPT, coinSat);
      await node.mine(1);
      const verdict = await ask(node);
      assert.equal(verdict.relay, "relayed", verdict.message);
      assert.deepEqual(await node.mempool(), []);
    }
  });

  it("one that does not know package fees: refused, in its own words", async () => {
    // Knots can be told to; Core has no such policy and refuses the flag.
    node = await startRegtest({ extraArgs: ["-corepolicy=0"] }).catch((error: unknown) => {
      assert.match(String(error), /corepolicy/);
      return undefined;
    });
    if (node === undefined) return;
    await node.fund(SCRIPT, 200_000n);
    await node.mine(1);
    const verdict = await ask(node);
    assert.equal(verdict.relay, "refused");
    assert.match(verdict.message, /dust|fee/);
    assert.deepEqual(await node.mempool(), []);
  });
});

describe("zero_fee_commitments under bitcoind's policy", function () {
  this.timeout(120_000);
  let node: Regtest;
  before(async () => {
    node = await startRegtest();
    await node.mine(130);
  });
  after(() => node.stop());

  const submitted = async (raws: readonly Uint8Array[]): Promise<unknown> => {
    const answer = await node.rpc("submitpackage", [raws.map(toHex)]);
    return z.object({ package_msg: z.string() }).parse(answer).package_msg;
  };

  async function open() {
    const { curve } = await selectCurve("auto");
    const plan = createChannel({
      channelType: "zero_fee_commitments",
      capacitySat: sat(1_000_000),
      pushMsat: msat(400_000_000),
      curve,
    });
    const funding = await node.fund(plan.fundingScriptPubkey, plan.setup.capacitySat);
    await node.mine(1);
    return plan.open({ txid: txid(funding.txid), vout: funding.vout });
  }

  it("takes the largest commitment there can be: 114 HTLCs of each side", async () => {
    const channel = await open();
    for (let i = 0; i < MAX_HTLCS_PER_SIDE_V3; i++) {
      for (const side of SIDES) offer(channel, side, 1_000, `${side} ${i}`);
    }
    await channel.settle();
    const commitment = channel.commitment("counterparty");
    assert.equal(commitment.built.tx.outs.length, 2 * MAX_HTLCS_PER_SIDE_V3 + 3);
    const parent = broadcastableCommitment(channel, "counterparty");
    const child = await anchorChild(node.wallet, commitment, 50_000n);
    assert.equal(await submitted([parent, child]), "success");
    await node.mine(1);
    assert.deepEqual(await node.mempool(), []);
  });

  // Anchors of 0, of what is trimmed, and of 240 with the rest as fee.
  for (const [dust, anchorSat] of [
    [[], 0n],
    [[100], 100n],
    [[200, 200], 240n],
  ] as const) {
    it(`takes a commitment with an anchor of ${anchorSat} sat, and what follows it`, async () => {
      const channel = await open();
      const expiry = (await node.height()) + 10;
      const out = offer(channel, "holder", 50_000, "out", expiry);
      const inbound = offer(channel, "counterparty", 60_000, "in", expiry);
      for (const [i, value] of dust.entries()) offer(channel, "holder", value, `dust ${i}`, expiry);
      await channel.settle();

      const commitment = channel.commitment("holder");
      assert.equal(
        commitment.built.tx.outs[commitment.built.sharedAnchorIndex ?? -1]?.value,
        anchorSat,
      );
      const parent = broadcastableCommitment(channel, "holder");
      const child = await anchorChild(node.wallet, commitment, 2_000n);
      assert.equal(await submitted([parent, child]), "success");
      await node.mine(1);

      // Both stand in the very next block: no script waits for one.
      const { number } = commitment;
      const { preimage } = secretNamed("in");
      const draft = secondStageDraft(channel, "holder", number, inbound, preimage);
      const success = await withWalletFee(node.wallet, draft, 2_000n);
      const claim = claimWithPreimage(channel, "holder", number, out, secretNamed("out").preimage);
      const toRemote = sweepToRemote(channel, "holder", number);
      const sent = [success, claim, toRemote].map((raw) => Transaction.fromBuffer(raw));
      for (const tx of sent) await node.rpc("sendrawtransaction", [tx.toHex()]);
      assert.deepEqual(
        sent.map(({ version }) => version),
        [3, 2, 2],
      );
      await node.mine(1);
      assert.deepEqual(await node.mempool(), []);
    });
  }
});
