/**
 * The publisher and the operator's wallet: one transaction for each HTLC, sent again as it is, funded
 * again only after a refusal; coins never stay locked for nothing; trouble is told once.
 */
import assert from "node:assert/strict";
import { Transaction } from "bitcoinjs-lib";
import { must } from "@farwatch/protocol/assert";
import { managerKey, outpointKey, txid } from "@farwatch/protocol/ids";
import { hash32 } from "@farwatch/protocol/ids";
import {
  ChainUnavailable,
  type BroadcastRefusal,
  type BroadcastResult,
} from "@farwatch/monitor-service/chain/chain-source";
import { feelessClaims } from "@farwatch/monitor-service/monitor/feeless-claims";
import type { ChannelEntry } from "@farwatch/monitor-service/runtime/monitors";
import { OFFERS_PER_BLOCK } from "@farwatch/monitor-service/runtime/fee-claims";
import { Publisher } from "@farwatch/monitor-service/runtime/publisher";
import { parseTx } from "@farwatch/monitor-service/tx/parsed-tx";
import { seedSigner } from "../../harness/channel/seed-signer.js";
import { DEFAULT_SEEDS } from "../../harness/channel/setup.js";
import { secretNamed } from "../../harness/channel/test-channel.js";
import { FakeFeeWallet } from "../../harness/monitor-core/fake-fee-wallet.js";
import {
  protectedChannel,
  type ProtectedChannel,
} from "../../harness/monitor-core/protected-channel.js";
import { pay } from "../../harness/monitor-core/scenario.js";

const OTHER_TX = txid("0d".repeat(32));
const refused = (reason: BroadcastRefusal): BroadcastResult => ({
  kind: "refused",
  reason,
  message: reason,
});

/** The counterparty's timeout of the same output: three witness items, its own output. */
function theirSpend(d: Desk): Uint8Array {
  const [claim] = feelessClaims(d.p.ctx, d.p.state);
  const tx = Transaction.fromBuffer(must(claim, "claim").draft);
  tx.setWitness(0, [new Uint8Array(71), new Uint8Array(0), new Uint8Array(100)]);
  return Uint8Array.from(tx.toBuffer());
}

/** A closed anchors channel with one HTLC to claim, its publisher, and everything around it. */
class Desk {
  readonly sent: Uint8Array[] = [];
  readonly warnings: string[] = [];
  readonly wallet = new FakeFeeWallet();
  /** What bitcoind's mempool has for the HTLC's output. */
  inMempool: "nothing" | "an outage" | Uint8Array = "nothing";
  /** Answers to the next broadcasts; then all are accepted. */
  readonly answers: BroadcastResult[] = [];
  readonly publisher: Publisher;
  readonly entry: ChannelEntry;

  constructor(
    readonly p: ProtectedChannel,
    withWallet = true,
  ) {
    this.entry = entryOf(p);
    this.publisher = new Publisher({
      context: p.ctx,
      signer: seedSigner(p.ctx.curve, DEFAULT_SEEDS.holder),
      source: {
        broadcast: async (raw) => {
          this.sent.push(raw);
          return this.answers.shift() ?? { kind: "accepted" };
        },
        mempoolSpender: async () => {
          if (this.inMempool === "an outage") throw new ChainUnavailable("down");
          return this.inMempool === "nothing" ? undefined : parseTx(this.inMempool).txid;
        },
        mempoolTx: async () => (typeof this.inMempool === "string" ? undefined : this.inMempool),
      },
      log: {
        info: () => undefined,
        warn: (fields) => void this.warnings.push(String(fields["cause"])),
        error: (_, message) => assert.fail(message),
      },
      wallet: withWallet ? this.wallet : undefined,
      claimRefused: () => Promise.resolve(),
    });
  }

  /** Asks the publisher as a block does. */
  async block(): Promise<void> {
    this.p.mine();
    this.publisher.newBlock();
    await this.ask();
  }

  async ask(): Promise<void> {
    this.entry.durable = this.p.state;
    this.publisher.request(this.entry);
    await this.publisher.idle();
  }
}

const entryOf = (p: ProtectedChannel): ChannelEntry => ({
  channelNo: 1,
  channelId: p.channel.channelId,
  managerKey: managerKey("11".repeat(32)),
  watchHash: hash32("22".repeat(32)),
  firstCounterpartyCommitment: p.initial.counterparty,
  state: p.state,
  durable: p.state,
  headRowId: 0,
  rowsSinceSnapshot: 0,
  lastEventHash: undefined,
  pending: new Map(),
  halt: undefined,
});

async function desk(withWallet = true): Promise<Desk> {
  const p = await protectedChannel({ channelType: "anchors_zero_fee_htlc" });
  const [theirs] = await pay(p, { from: "counterparty", sat: 30_000, name: "theirs" });
  p.learn(secretNamed("theirs").preimage, must(theirs, "HTLC").source.sourceKey);
  await p.channel.forceClose("holder", true);
  p.minePublished("holderCommitment");
  return new Desk(p, withWallet);
}

describe("publisher: second stages paid by the wallet", () => {
  it("funds, signs and sends one, and the same again while the mempool lacks it", async () => {
    const d = await desk();
    await d.block();
    await d.ask();
    assert.equal(d.sent.length, 1, "once a block");
    const [claim] = feelessClaims(d.p.ctx, d.p.state);
    const [input] = parseTx(must(d.sent[0], "sent")).inputs;
    assert.equal(
      outpointKey(must(input, "input").outpoint),
      outpointKey(must(claim, "c").outpoint),
    );
    assert.equal(input?.witness.length, 5);
    await d.block();
    assert.deepEqual(d.sent[1], d.sent[0]);
    assert.equal(d.wallet.asked.length, 1);
    assert.deepEqual(d.warnings, []);
  });

  it("leaves its own alone while the mempool holds it", async () => {
    const d = await desk();
    await d.block();
    d.inMempool = must(d.sent[0], "sent");
    await d.block();
    assert.deepEqual([d.sent.length, d.wallet.asked.length], [1, 1]);
    d.inMempool = "nothing";
    await d.block();
    assert.deepEqual(d.sent[1], d.sent[0]);
  });

  it("knows its own in the mempool after a restart", async () => {
    const d = await desk();
    await d.block();
    const restarted = new Desk(d.p);
    restarted.inMempool = must(d.sent[0], "sent");
    await restarted.block();
    assert.deepEqual([restarted.sent.length, restarted.wallet.asked.length], [0, 0]);
  });

  it("competes with another's spend at a rising feerate, up to half of the HTLC", async () => {
    const d = await desk();
    d.inMempool = theirSpend(d);
    await d.block();
    assert.equal(d.sent.length, 1, "a spend of the counterparty keeps nothing back");
    const [claim] = feelessClaims(d.p.ctx, d.p.state);
    const { targetFeerate, highestFeerate } = must(claim, "claim");
    d.answers.push(...Array.from({ length: 100 }, () => refused("insufficientFee")));
    await d.block();
    assert.equal(d.wallet.asked.length, 1 + OFFERS_PER_BLOCK);
    for (let i = 0; i < 20; i++) await d.block();
    const rates = d.wallet.asked.slice(1).map(Number);
    assert.ok(must(rates[0], "first") >= targetFeerate * 1.25);
    for (const [index, rate] of rates.entries()) {
      const before = rates[index - 1] ?? targetFeerate;
      assert.ok(rate >= Math.min(before * 1.25, highestFeerate), `${before} then ${rate}`);
    }
    assert.equal(rates.at(-1), highestFeerate);
    assert.equal(d.wallet.locked.size, 0, "a refused one locks no coin");
    d.answers.length = 0;
    const sent = d.sent.length;
    await d.block();
    assert.equal(d.sent.length, sent + 1);
    assert.equal(d.warnings.length, 1);
  });

  it("gives the coin back and funds again when its transaction is refused", async () => {
    const d = await desk();
    await d.block();
    d.answers.push(refused("insufficientFee"));
    await d.block();
    assert.equal(d.wallet.asked.length, 2);
    assert.equal(d.sent.length, 3);
    assert.notDeepEqual(d.sent[2], d.sent[1]);
    assert.equal(d.wallet.locked.size, 1);
  });

  it("keeps one that is only too early", async () => {
    const d = await desk();
    d.answers.push(refused("nonFinal"));
    await d.block();
    await d.block();
    assert.deepEqual(d.sent[1], d.sent[0]);
    assert.equal(d.wallet.asked.length, 1);
  });

  it("does not sign what costs too much, and gives the coin back", async () => {
    const d = await desk();
    d.wallet.paysRate = 15_001; // of 1000 weight units: a satoshi above half of 30,000
    await d.block();
    assert.deepEqual([d.sent.length, d.wallet.locked.size], [0, 0]);
    assert.match(d.warnings[0] ?? "", /feeTooHigh/);
    d.wallet.paysRate = 15_000;
    await d.block();
    assert.equal(d.sent.length, 1);
  });

  it("tells each trouble once, and tries again at every block", async () => {
    const d = await desk();
    d.wallet.refuses = "Insufficient funds";
    for (let i = 0; i < 3; i++) await d.block();
    assert.deepEqual(d.warnings, ["Insufficient funds"]);
    assert.equal(d.wallet.asked.length, 3);
    d.inMempool = "an outage";
    for (let i = 0; i < 3; i++) await d.block();
    assert.equal(d.warnings.length, 2);
    d.inMempool = "nothing";
    d.wallet.refuses = undefined;
    await d.block();
    assert.equal(d.sent.length, 1);
  });

  it("asks again after an outage, in the same block", async () => {
    const d = await desk();
    d.inMempool = "an outage";
    await d.block();
    assert.equal(d.sent.length, 0);
    d.inMempool = "nothing";
    d.publisher.retryFailed();
    await d.publisher.idle();
    assert.equal(d.sent.length, 1);
    d.publisher.retryFailed();
    await d.publisher.idle();
    assert.equal(d.sent.length, 1);
  });

  it("without a wallet nothing is sent, which is told once", async () => {
    const d = await desk(false);
    for (let i = 0; i < 3; i++) await d.block();
    assert.deepEqual(d.warnings, ["no wallet is configured"]);
    assert.equal(d.sent.length, 0);
  });

  it("gives the coins back when the claim is over", async () => {
    const d = await desk();
    await d.block();
    assert.equal(d.wallet.locked.size, 1);
    const [claim] = feelessClaims(d.p.ctx, d.p.state);
    const { commitmentTxid, outputIndex } = must(d.p.state.holderHtlcClaims[0], "claim");
    assert.deepEqual(claim?.outpoint, { txid: commitmentTxid, vout: outputIndex });
    const spend = { txid: OTHER_TX, height: d.p.state.best.height, byPreimage: false };
    const outputSpends = new Map([[outpointKey(must(claim, "c").outpoint), spend]]);
    d.p.state = { ...d.p.state, outputSpends };
    await d.ask();
    assert.equal(d.wallet.locked.size, 0);
    assert.equal(d.sent.length, 1);
  });
});
