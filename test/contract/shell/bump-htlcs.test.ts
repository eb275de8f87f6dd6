/**
 * The publisher and the operator's wallet: second stages in one transaction. Written before they are sent,
 * replaced with the same coins; coins never stay taken for nothing; trouble is told once.
 */
import assert from "node:assert/strict";
import { feeratePerKw } from "@farwatch/protocol/amount";
import { must } from "@farwatch/protocol/assert";
import { outpointKey, txid } from "@farwatch/protocol/ids";
import { OFFERS_PER_BLOCK } from "@farwatch/monitor-service/runtime/bumps/bump-sender";
import { parseTx } from "@farwatch/monitor-service/tx/parsed-tx";
import { planFeeSat } from "../../harness/monitor-core/fake-fee-wallet.js";
import { closing, inputsOf, refused, type BumpDesk } from "./bump-desk.js";

const OTHER_TX = txid("0d".repeat(32));
/** The same with the commitment confirmed. */
async function closed(values?: readonly number[]): Promise<BumpDesk> {
  const desk = await closing(values);
  desk.p.minePublished("holderCommitment");
  return desk;
}

const wantedOutpoints = (d: BumpDesk): readonly string[] =>
  d.requests.flatMap((request) =>
    request.kind === "htlcs" ? request.htlcs.map(({ input }) => outpointKey(input.outpoint)) : [],
  );

/** Somebody else's transaction has them, in a block. */
function spend(d: BumpDesk, outpoints: readonly string[]): void {
  const { height } = d.p.state.best;
  const by = { txid: OTHER_TX, height, byPreimage: false };
  d.p.state = { ...d.p.state, outputSpends: new Map(outpoints.map((key) => [key, by])) };
}

const claimsOf = (raw: Uint8Array): number =>
  parseTx(raw).inputs.filter(({ witness }) => witness.length === 5).length;

describe("publisher: second stages paid by the wallet", () => {
  it("go out together, and the same again while the mempool lacks them", async () => {
    const d = await closed();
    await d.block();
    await d.ask();
    assert.equal(d.sent.length, 1, "once a block");
    assert.equal(claimsOf(d.last()), 3);
    const wanted = new Set(wantedOutpoints(d));
    assert.ok(
      inputsOf(d.last())
        .slice(0, 3)
        .every((key) => wanted.has(key)),
    );
    await d.block();
    assert.deepEqual(d.last(), d.last(2));
    assert.equal(d.wallet.asked.length, 1);
    d.enterMempool(d.last());
    await d.block();
    assert.equal(d.sent.length, 2, "left alone while bitcoind has it");
    assert.deepEqual(d.warnings, []);
  });

  it("are the same after a restart", async () => {
    const d = await closed();
    await d.block();
    d.restart();
    await d.ask();
    assert.deepEqual(d.last(), d.last(2));
    assert.equal(d.wallet.asked.length, 1);
  });

  it("rise with their timer, with the same coins", async () => {
    const d = await closed();
    await d.block();
    d.enterMempool(d.last());
    while (d.requests[0]?.targetFeerate === d.wallet.rates[0]) await d.block();
    assert.equal(d.wallet.asked.length, 2);
    assert.deepEqual(inputsOf(d.last()), inputsOf(d.last(2)));
    assert.equal(d.rows.length, 1);
    assert.equal(d.rows[0]?.feeratePerKw, 2_500);
  });

  it("go without what somebody else spent in a block, with the same coins", async () => {
    const d = await closed();
    await d.block();
    const before = d.last();
    const [lost] = wantedOutpoints(d);
    assert.ok(lost !== undefined);
    spend(d, [lost]);
    await d.block();
    assert.equal(claimsOf(d.last()), 2);
    assert.ok(!inputsOf(d.last()).includes(lost));
    assert.deepEqual(inputsOf(d.last()).slice(2), inputsOf(before).slice(3));
    assert.equal(d.rows.length, 1);
  });

  it("rest when all is spent, and are forgotten when the spends are for good", async () => {
    const d = await closed();
    await d.block();
    const { state } = d.p;
    d.p.state = { ...state, spend: { ...must(state.spend, "spend"), final: true } };
    spend(d, wantedOutpoints(d));
    for (let deep = 2; deep <= 5; deep++) {
      await d.block();
      assert.deepEqual([d.requests.length, d.rows.length], [0, 1], `${deep} deep`);
    }
    await d.block();
    assert.deepEqual([d.rows.length, d.wallet.kept.size, d.sent.length], [0, 0, 1]);
  });

  it("take no coin of another claim", async () => {
    const d = await closed();
    await d.block();
    const row = must(d.rows[0], "row");
    const coin = must(inputsOf(row.rawTx).at(-1), "coin");
    d.disk.clear();
    d.disk.set("another", { ...row, channelNo: 9 });
    d.restart();
    await d.block();
    assert.deepEqual(d.wallet.uses.at(-1)?.others.map(outpointKey), [coin]);
    assert.deepEqual(d.wallet.uses.at(-1)?.own, []);
  });

  it("are halved until the wallet's coins are enough", async () => {
    const d = await closed([30_000, 20_000, 40_000, 10_000]);
    d.wallet.mostInputs = 2;
    await d.block();
    assert.deepEqual(
      d.sent.map(([raw]) => claimsOf(must(raw, "raw"))),
      [2, 2],
    );
    assert.equal(d.rows.length, 2);
    await d.block();
    assert.equal(d.wallet.asked.length, 3, "each goes on by itself");
    const none = await closed([30_000, 20_000, 40_000, 10_000]);
    none.wallet.mostInputs = 0;
    await none.block();
    assert.equal(none.wallet.asked.length, 3, "4, 2, 1: then there is no coin at all");
  });

  it("compete with another's spend at a rising feerate, up to half of the HTLC", async () => {
    const d = await closed([30_000]);
    const [key] = wantedOutpoints(d);
    d.mempool.set(must(key, "HTLC"), OTHER_TX);
    await d.block();
    assert.equal(d.sent.length, 1, "a spend of the counterparty keeps nothing back");
    d.answers.push(...Array.from({ length: 100 }, () => refused("insufficientFee")));
    await d.block();
    assert.equal(d.wallet.asked.length, 1 + OFFERS_PER_BLOCK);
    for (let i = 0; i < 20; i++) await d.block();
    const rates = d.wallet.rates.slice(1).map(Number);
    const dearest = Math.max(...rates);
    assert.ok(planFeeSat(must(d.wallet.asked.at(-1), "plan")) <= 15_000n);
    for (const [index, rate] of rates.entries()) {
      const before = rates[index - 1] ?? 2_000;
      assert.ok(rate >= Math.min(before * 1.25, dearest), `${before} then ${rate}`);
    }
    assert.equal(rates.at(-1), dearest);
    assert.equal(d.rows.length, 1, "the one that bitcoind took stays");
    assert.equal(d.warnings.length, 1);
    d.answers.length = 0;
    const sent = d.sent.length;
    await d.block();
    assert.equal(d.sent.length, sent + 1);
  });

  it("never rise above the operator's limit, however often they are refused", async () => {
    const d = await closed([30_000]);
    d.maxFeerate = feeratePerKw(2_600);
    d.restart();
    d.answers.push(...Array.from({ length: 100 }, () => refused("insufficientFee")));
    for (let i = 0; i < 5; i++) await d.block();
    assert.equal(Math.max(...d.wallet.rates), 2_600);
  });

  it("go apart when one of them is held up", async () => {
    const d = await closed();
    await d.block();
    const [key] = wantedOutpoints(d);
    d.mempool.set(must(key, "HTLC"), OTHER_TX);
    d.answers.push(
      ...Array.from({ length: 1 + OFFERS_PER_BLOCK }, () => refused("insufficientFee")),
    );
    await d.block();
    assert.equal(d.rows.length, 0);
    d.answers.length = 0;
    d.sent.length = 0;
    await d.block();
    const claims = d.sent.map(([raw]) => claimsOf(must(raw, "raw"))).sort();
    assert.deepEqual(claims, [1, 2]);
  });

  it("give the coins back when the transaction is refused, and are funded again", async () => {
    const d = await closed([30_000]);
    d.answers.push(refused("missingInputs"));
    await d.block();
    assert.deepEqual([d.rows.length, d.wallet.kept.size, d.wallet.released.length], [0, 0, 1]);
    await d.block();
    assert.equal(d.rows.length, 1);
    assert.notDeepEqual(d.last(), d.last(2));
  });

  it("are made anew when a coin of theirs is gone, and only then", async () => {
    const d = await closed([30_000]);
    await d.block();
    d.answers.push(refused("missingInputs"));
    await d.block();
    assert.equal(d.wallet.asked.length, 1, "its coins are there: something else is missing");
    d.goneCoins.add(must(inputsOf(d.last())[1], "coin"));
    d.answers.push(refused("missingInputs"));
    await d.block();
    assert.equal(d.wallet.asked.length, 2);
    assert.notDeepEqual(inputsOf(d.last()), inputsOf(d.last(2)));
  });

  it("are kept when they are only too early", async () => {
    const d = await closed([30_000]);
    d.answers.push(refused("nonFinal"));
    await d.block();
    await d.block();
    assert.deepEqual(d.last(), d.last(2));
    assert.equal(d.wallet.asked.length, 1);
  });

  it("are not signed when they cost too much, and no coin stays taken", async () => {
    const d = await closed([30_000]);
    const dearer = Number((15_001n * 1000n) / BigInt(663 + 42 + 2 * 273 + 172)) + 1;
    d.wallet.paysRate = dearer;
    await d.block();
    assert.deepEqual([d.sent.length, d.wallet.kept.size, d.rows.length], [0, 0, 0]);
    assert.match(d.warnings[0] ?? "", /feeTooHigh/);
    d.wallet.paysRate = dearer - 2;
    await d.block();
    assert.equal(d.sent.length, 1);
  });

  it("tell each trouble once, and are tried again at every block", async () => {
    const d = await closed([30_000]);
    d.wallet.refuses = "Insufficient funds";
    for (let i = 0; i < 3; i++) await d.block();
    assert.deepEqual(d.warnings, ["Insufficient funds"]);
    assert.equal(d.wallet.asked.length, 3);
    d.wallet.refuses = undefined;
    await d.block();
    assert.equal(d.sent.length, 1);
    const without = await closed([30_000]);
    without.hasWallet = false;
    without.restart();
    for (let i = 0; i < 3; i++) await without.block();
    assert.deepEqual(without.warnings, ["no wallet is configured"]);
    assert.equal(without.sent.length, 0);
  });
});
