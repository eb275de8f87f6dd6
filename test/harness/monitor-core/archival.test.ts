/**
 * When a channel may be archived (onchain-engine 16, contract 2.16): how long nothing of it must be left,
 * what holds it back, and what starts the wait anew.
 */
import assert from "node:assert/strict";
import { msat } from "@farwatch/protocol/amount";
import { must } from "@farwatch/protocol/assert";
import { blockHeight } from "@farwatch/protocol/block";
import { NEVER_FUNDED_REASON } from "@farwatch/protocol/update";
import { archivalOf, reappeared } from "@farwatch/monitor-service/monitor/archival";
import type { WaitingFact } from "@farwatch/monitor-service/monitor/state";
import { cooperativeCloseTx } from "../channel/cooperative-close.js";
import { protectedChannel, type ProtectedChannel } from "./protected-channel.js";
import { counterpartyCloses, pay } from "./scenario.js";

const DELAY = 4032;
const NEVER_FUNDED_DELAY = 2016;

const check = (p: ProtectedChannel, unackedEvents = false): void =>
  void p.apply({ kind: "resolutionChecked", unackedEvents });

/** One block and the check that follows it. */
function block(p: ProtectedChannel, unackedEvents = false): void {
  p.mine();
  check(p, unackedEvents);
}

function blocks(p: ProtectedChannel, count: number): void {
  for (let i = 0; i < count; i++) block(p);
}

const why = (p: ProtectedChannel, unackedEvents = false): string =>
  archivalOf(p.state, unackedEvents).kind;

/** The funding transaction confirms. */
function fund(p: ProtectedChannel): void {
  const { txid } = p.state.parameters.funding;
  const funding = { txid, version: 2, locktime: 0, inputs: [], outputs: [] };
  p.apply({
    kind: "blockConnected",
    block: p.chain.mine([]).point,
    transactions: [funding],
    storedCommitments: new Map(),
    feerates: p.feerates,
  });
  check(p);
}

/** Closed with everything told and deep. */
async function resolved(): Promise<ProtectedChannel> {
  const p = await protectedChannel();
  p.mine(cooperativeCloseTx(p.channel, 500n));
  blocks(p, 5);
  assert.equal(p.state.resolvedSince, 506);
  return p;
}

describe("monitor core: archival", () => {
  it("an open channel never is; a closed one not while anything is left", async () => {
    const p = await protectedChannel();
    assert.equal(why(p), "notClosed");
    await pay(p, { from: "holder", sat: 20_000, name: "ours", expiry: 520 });
    counterpartyCloses(p);
    blocks(p, 10);
    assert.equal(why(p), "openBalances");
    assert.equal(p.state.resolvedSince, undefined);
    p.mineTo(520);
    p.minePublished();
    blocks(p, 4);
    assert.equal(why(p), "openBalances");
    blocks(p, 1);
    assert.deepEqual(archivalOf(p.state, false), { kind: "delay", dueAt: 526 + DELAY });
  });

  it("is due after 4,032 blocks and not before, unless an event is not acked", async () => {
    const p = await resolved();
    blocks(p, DELAY - 2);
    block(p);
    assert.deepEqual(archivalOf(p.state, false), { kind: "delay", dueAt: 506 + DELAY });
    block(p);
    assert.equal(p.state.best.height, 506 + DELAY);
    assert.equal(why(p), "due");
    assert.equal(why(p, true), "unackedEvents");
  });

  it("the wait starts once every event is acked", async () => {
    const p = await protectedChannel();
    p.mine(cooperativeCloseTx(p.channel, 500n));
    for (let i = 0; i < 20; i++) block(p, true);
    assert.equal(p.state.resolvedSince, undefined);
    block(p);
    assert.equal(p.state.resolvedSince, 522);
  });

  it("survives a restart, and is written when it starts and never at blocks after", async () => {
    const p = await protectedChannel();
    p.mine(cooperativeCloseTx(p.channel, 500n));
    blocks(p, 4);
    p.mine();
    const started = p.apply({ kind: "resolutionChecked", unackedEvents: false });
    assert.equal(started.persist, true);
    p.reload();
    p.mine();
    assert.equal(p.apply({ kind: "resolutionChecked", unackedEvents: false }).persist, false);
    assert.equal(p.state.resolvedSince, 506);
  });

  it("a reorg below starts the wait anew; a lost close ends it and is told", async () => {
    const p = await resolved();
    const before = p.state;
    p.disconnect(1);
    assert.equal(p.state.resolvedSince, undefined);
    assert.equal(reappeared(before, p.state), true, "no longer 6 deep");
    block(p);
    assert.equal(p.state.resolvedSince, 506);
    const deep = p.state;
    p.disconnect(6);
    assert.equal(p.state.resolvedSince, undefined);
    assert.equal(reappeared(deep, p.state), true);
    assert.equal(why(p), "notClosed");
  });

  it("a counterparty that sweeps its own outputs later brings nothing of ours back", async () => {
    const p = await resolved();
    const { txid, block: at } = must(p.state.spend, "the close");
    const waitingFor = (fact: WaitingFact["fact"]) => {
      const waiting = [{ txid, block: at, matureAt: blockHeight(600), fact }];
      return { ...p.state, resolvedSince: undefined, waiting };
    };
    const swept = waitingFor({ kind: "outputResolved", outpoint: { txid, vout: 0 } });
    assert.equal(reappeared(p.state, swept), false);
    assert.equal(reappeared(p.state, waitingFor({ kind: "fundingSpend" })), true);
  });

  it("a late update that names the close has balances again", async () => {
    const p = await protectedChannel();
    p.held = [];
    await pay(p, { from: "holder", sat: 40_000, name: "later", expiry: 9_000 });
    counterpartyCloses(p);
    assert.equal(p.state.spend?.kind, "unknown");
    blocks(p, 10);
    assert.ok(p.state.resolvedSince !== undefined);
    const before = p.state;
    p.release();
    block(p);
    assert.equal(reappeared(before, p.state), true);
    assert.equal(why(p), "openBalances");
  });

  it("closed before any update with nothing of ours in it: at once", async () => {
    const p = await protectedChannel({ opener: "counterparty", pushMsat: msat(0) });
    assert.equal(why(p), "notClosed");
    await p.channel.forceClose("holder", false, "gone");
    assert.equal(why(p), "due");
    assert.equal(why(p, true), "unackedEvents");
    const funded = await protectedChannel({ opener: "counterparty", pushMsat: msat(0) });
    fund(funded);
    await funded.channel.forceClose("holder", false, "gone");
    assert.equal(why(funded), "notClosed", "its funding exists");
  });

  it("closed before any update with something of ours: not for another reason", async () => {
    const p = await protectedChannel();
    await p.channel.forceClose("holder", false, "gone");
    blocks(p, 3);
    assert.equal(why(p), "notClosed");
  });

  it("never funded: after 2,016 blocks without the funding", async () => {
    const p = await protectedChannel();
    blocks(p, 5);
    await p.channel.forceClose("holder", false, NEVER_FUNDED_REASON);
    assert.deepEqual(archivalOf(p.state, false), {
      kind: "delay",
      dueAt: 505 + NEVER_FUNDED_DELAY,
    });
    blocks(p, NEVER_FUNDED_DELAY - 1);
    assert.equal(why(p), "delay");
    block(p);
    assert.equal(why(p), "due");
  });

  it("never funded: a funding that appears keeps it, and the wait starts anew when it goes", async () => {
    const p = await protectedChannel();
    await p.channel.forceClose("holder", false, NEVER_FUNDED_REASON);
    blocks(p, NEVER_FUNDED_DELAY - 1);
    fund(p);
    assert.equal(why(p), "notClosed");
    p.disconnect(1);
    const { height } = p.state.best;
    assert.deepEqual(archivalOf(p.state, false), {
      kind: "delay",
      dueAt: height + NEVER_FUNDED_DELAY,
    });
  });
});
