/** What a wallet should hold for an anchor channel (onchain-engine 9.11): by hand, and as a channel lives. */
import assert from "node:assert/strict";
import {
  feeReserveSat,
  RESERVE_FEERATE,
} from "@farwatch/monitor-service/monitor/bumps/fee-reserve";
import { feeratePerKw } from "@farwatch/protocol/amount";
import { protectedChannel } from "./protected-channel.js";
import { counterpartyCloses, pay, type Payment } from "./scenario.js";

const OURS: Payment = { from: "holder", sat: 30_000, name: "ours" };
const THEIRS: Payment = { from: "counterparty", sat: 40_000, name: "theirs" };
const DUST: Payment = { from: "holder", sat: 100, name: "dust" };
const at = (weight: number): bigint => (BigInt(RESERVE_FEERATE) * BigInt(weight)) / 1000n;

/** One P2WPKH coin of 273 and a P2WSH change output of 172. */
const PAYER = 273 + 172;

describe("monitor core: fee reserve", () => {
  it("is nothing where transactions carry their own fee", async () => {
    const p = await protectedChannel({ channelType: "static_remote_key" });
    await pay(p, OURS);
    assert.equal(feeReserveSat(p.state), 0n);
  });

  it("is a child and what our commitment lacks, and a transaction per untrimmed HTLC", async () => {
    const p = await protectedChannel({ channelType: "zero_fee_commitments" });
    const idle = feeReserveSat(p.state);
    // The commitment with its shared anchor (13 bytes), a frame of 42, an input of 164 with an empty witness.
    assert.equal(idle, at(724 + 4 * 13 + 42 + 164 + 1 + PAYER));
    await pay(p, OURS, THEIRS, DUST);
    const seconds = at(663 + PAYER) + at(703 + PAYER);
    const more = feeReserveSat(p.state) - idle;
    assert.ok(more >= seconds + at(2 * 172) - 2n && more <= seconds + at(2 * 172) + 2n);
  });

  it("counts the fee that the commitment carries, and never falls below nothing", async () => {
    const p = await protectedChannel({ channelType: "anchors_zero_fee_htlc" });
    const { holder } = p.state;
    const carrying = (rate: number) =>
      feeReserveSat({ ...p.state, holder: { ...holder, feeratePerKw: feeratePerKw(rate) } });
    assert.equal(carrying(0) - carrying(1_000), 1_124n);
    assert.equal(carrying(100_000), 0n);
  });

  it("ends with the counterparty's commitment; ours leaves its second stages", async () => {
    const theirs = await protectedChannel({ channelType: "anchors_zero_fee_htlc" });
    await pay(theirs, OURS);
    counterpartyCloses(theirs);
    assert.equal(feeReserveSat(theirs.state), 0n);
    const ours = await protectedChannel({ channelType: "anchors_zero_fee_htlc" });
    await pay(ours, OURS);
    ours.apply({ kind: "broadcastHolder", reason: "test", overrideStale: false });
    const before = feeReserveSat(ours.state);
    ours.minePublished("holderCommitment");
    const after = feeReserveSat(ours.state);
    assert.equal(after, at(666 + PAYER));
    assert.ok(after < before);
  });
});
