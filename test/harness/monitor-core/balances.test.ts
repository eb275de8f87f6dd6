/**
 * Balances through whole closes (onchain-engine 11): which variant stands for an output at each height,
 * and that nothing is lost on the way but fees and what the counterparty rightly takes.
 */
import assert from "node:assert/strict";
import { msat } from "@farwatch/protocol/amount";
import type { ConstantsProfile } from "@farwatch/protocol/channel";
import { channelId, htlcId } from "@farwatch/protocol/ids";
import { blockHeight } from "@farwatch/protocol/block";
import {
  claimableSat,
  totalClaimableSat,
  type ClaimableOnChannelClose,
} from "@farwatch/monitor-service/monitor/balances/balance";
import { claimableBalances } from "@farwatch/monitor-service/monitor/balances/claimable-balances";
import { cooperativeCloseTx } from "../channel/cooperative-close.js";
import { claimWithPreimage } from "../channel/claims.js";
import { forwardSource } from "../channel/sources.js";
import { htlcSuccessTx, htlcTimeoutTx } from "../channel/broadcast.js";
import { secretNamed } from "../channel/test-channel.js";
import { accountedSat, balancesOf } from "./balances-of.js";
import { protectedChannel, type ProtectedChannel } from "./protected-channel.js";
import { CHANNEL_TYPES, counterpartyCloses, fulfill, number, pay } from "./scenario.js";

const OURS = { from: "holder", sat: 20_000, name: "ours", expiry: 520 } as const;
const THEIRS = { from: "counterparty", sat: 30_000, name: "theirs", expiry: 560 } as const;

const OPEN_FEE = {
  static_remote_key: 270n,
  anchors_zero_fee_htlc: 371n,
  zero_fee_commitments: 0n,
};
const ONE_HTLC_FEE = { ...OPEN_FEE, static_remote_key: 226n, anchors_zero_fee_htlc: 327n };

const withBoth = async (channelType: (typeof CHANNEL_TYPES)[number]) => {
  const p = await protectedChannel({ channelType });
  const [ours, theirs] = await pay(p, OURS, THEIRS);
  assert.ok(ours !== undefined && theirs !== undefined);
  return { p, ours, theirs };
};

/** Mines empty blocks to `height`; the accounted sum never rises. */
function mineAccounted(p: ProtectedChannel, height: number): void {
  while (p.height < height) {
    const before = accountedSat(p);
    p.mine();
    assert.ok(accountedSat(p) <= before, `money from nowhere at ${p.height}`);
  }
}

/** Confirms what we publish and returns its fees. */
function mineOurs(p: ProtectedChannel): bigint {
  const fees = p.published().map(({ raw }) => p.chain.feeSat(raw));
  p.minePublished();
  return fees.reduce((sum, fee) => sum + fee, 0n);
}

function onClose(p: ProtectedChannel): ClaimableOnChannelClose {
  const found = claimableBalances(p.state).find(({ kind }) => kind === "claimableOnChannelClose");
  assert.ok(found?.kind === "claimableOnChannelClose");
  return found;
}

/** Millisatoshis that would go to fees. */
function rounded(p: ProtectedChannel) {
  const close = onClose(p);
  return {
    own: close.outboundPaymentHtlcRoundedMsat,
    forwarded: close.outboundForwardedHtlcRoundedMsat,
    claiming: close.inboundClaimingHtlcRoundedMsat,
    inbound: close.inboundHtlcRoundedMsat,
  };
}

/** Main outputs of the counterparty's old commitment. */
function oldShares(p: ProtectedChannel, at: number): { toBroadcaster: bigint; toUs: bigint } {
  const { tx, toLocalIndex, toRemoteIndex } = p.channel.commitment("counterparty", at).built;
  const valueAt = (index: number | undefined): bigint => tx.outs[index ?? -1]?.value ?? 0n;
  return { toBroadcaster: valueAt(toLocalIndex), toUs: valueAt(toRemoteIndex) };
}

for (const channelType of CHANNEL_TYPES) {
  const pays = channelType === "static_remote_key";

  describe(`monitor core: balances of ${channelType}`, () => {
    it("an open channel: our output, open HTLCs, and what would go to fees", async () => {
      const { p, theirs } = await withBoth(channelType);
      const { holder } = p.state;
      const fee = OPEN_FEE[channelType]; // 253 * (724 or 1124, + 2 * 172) / 1000
      assert.deepEqual(balancesOf(p), [
        `close ${holder.toLocalSat} fee ${fee}`,
        "preimage? 30000 @560",
        "timeout? 20000 @520 own",
      ]);
      p.learn(secretNamed("theirs").preimage, theirs.source.sourceKey);
      assert.deepEqual(balancesOf(p), [
        `close ${holder.toLocalSat + 30_000n} fee ${fee}`,
        "timeout? 20000 @520 own",
      ]);
      assert.equal(totalClaimableSat(claimableBalances(p.state)), holder.toLocalSat + 30_000n);
    });

    it("the counterparty's commitment: claims by preimage and after expiry", async () => {
      const { p, theirs } = await withBoth(channelType);
      const share = p.state.counterparty.toCountersignatorySat;
      p.learn(secretNamed("theirs").preimage, theirs.source.sourceKey);
      counterpartyCloses(p);
      const start = share + 50_000n;
      assert.deepEqual(balancesOf(p), [
        `awaiting ${share} @506 counterpartyForceClosed`,
        "contentious 30000 @560",
        "timeout? 20000 @520 own",
      ]);
      assert.equal(accountedSat(p), start);
      let fees = mineOurs(p);
      assert.deepEqual(balancesOf(p), [
        "awaiting 30000 @507 htlc",
        `awaiting ${share} @506 counterpartyForceClosed`,
        "timeout? 20000 @520 own",
      ]);
      mineAccounted(p, 506);
      assert.deepEqual(balancesOf(p), ["awaiting 30000 @507 htlc", "timeout? 20000 @520 own"]);
      mineAccounted(p, 520);
      assert.deepEqual(balancesOf(p), ["timeout? 20000 @520 own"]);
      fees += mineOurs(p);
      assert.deepEqual(balancesOf(p), ["awaiting 20000 @526 htlc"]);
      mineAccounted(p, 526);
      assert.deepEqual(balancesOf(p), []);
      assert.equal(accountedSat(p), start - fees);
    });

    it("the counterparty's commitment: what it takes leaves when that is final", async () => {
      const { p, ours, theirs } = await withBoth(channelType);
      const at = number(p, "counterparty");
      counterpartyCloses(p);
      p.mineEmpty(1);
      p.mine(htlcSuccessTx(p.channel, "counterparty", at, ours, secretNamed("ours").preimage));
      assert.ok(balancesOf(p).includes("timeout? 20000 @520 own"));
      mineAccounted(p, 507);
      assert.ok(balancesOf(p).includes("timeout? 20000 @520 own"));
      mineAccounted(p, 508);
      assert.deepEqual(balancesOf(p), ["preimage? 30000 @560"]);
      mineAccounted(p, 560);
      p.mine(htlcTimeoutTx(p.channel, "counterparty", at, theirs));
      assert.deepEqual(balancesOf(p), ["preimage? 30000 @560"]);
      p.learn(secretNamed("theirs").preimage, theirs.source.sourceKey);
      assert.deepEqual(balancesOf(p), ["contentious 30000 @560"], "until its loss is final");
      mineAccounted(p, 566);
      assert.deepEqual(balancesOf(p), []);
    });

    it("our commitment: everything waits for our delay", async () => {
      const { p, ours, theirs } = await withBoth(channelType);
      const { toLocalSat } = p.state.holder;
      const at = number(p, "holder");
      await p.channel.forceClose("holder", true);
      p.minePublished("holderCommitment");
      assert.deepEqual(balancesOf(p), [
        `awaiting ${toLocalSat} @644 holderForceClosed`,
        "preimage? 30000 @560",
        "timeout? 20000 @520 own",
      ]);
      p.learn(secretNamed("theirs").preimage, theirs.source.sourceKey);
      assert.ok(balancesOf(p).includes("contentious 30000 @560"));
      const start = accountedSat(p);
      mineAccounted(p, 510);
      p.mine(htlcSuccessTx(p.channel, "holder", at, theirs, secretNamed("theirs").preimage));
      mineAccounted(p, 520);
      p.mine(htlcTimeoutTx(p.channel, "holder", at, ours));
      assert.deepEqual(balancesOf(p), [
        "awaiting 20000 @664 htlc",
        "awaiting 30000 @654 htlc",
        `awaiting ${toLocalSat} @644 holderForceClosed`,
      ]);
      assert.equal(accountedSat(p), start);
      mineAccounted(p, 643);
      assert.equal(accountedSat(p), start);
      mineAccounted(p, 644);
      assert.deepEqual(balancesOf(p), ["awaiting 20000 @664 htlc", "awaiting 30000 @654 htlc"]);
      mineAccounted(p, 654);
      assert.deepEqual(balancesOf(p), ["awaiting 20000 @664 htlc"]);
      mineAccounted(p, 664);
      assert.deepEqual(balancesOf(p), []);
      // 253 * (703 + 663) / 1000, each rounded down
      assert.equal(accountedSat(p), start - (pays ? 177n + 167n : 0n));
    });

    it("our commitment: what the counterparty takes leaves when that is final", async () => {
      const { p, ours } = await withBoth(channelType);
      const at = number(p, "holder");
      await p.channel.forceClose("holder", true);
      p.minePublished("holderCommitment");
      p.mineEmpty(1);
      p.mine(claimWithPreimage(p.channel, "holder", at, ours, secretNamed("ours").preimage));
      mineAccounted(p, 507);
      assert.ok(balancesOf(p).includes("timeout? 20000 @520 own"));
      mineAccounted(p, 508);
      assert.ok(!balancesOf(p).includes("timeout? 20000 @520 own"));
    });

    it("a revoked commitment: every output, then what justice pays", async () => {
      const { p, ours, theirs } = await withBoth(channelType);
      const old = number(p, "counterparty");
      await fulfill(p, ours, "ours");
      await fulfill(p, theirs, "theirs");
      const { toBroadcaster, toUs } = oldShares(p, old);
      counterpartyCloses(p, old);
      assert.deepEqual(balancesOf(p), [
        `awaiting ${toUs} @506 counterpartyForceClosed`,
        "revoked 20000",
        "revoked 30000",
        `revoked ${toBroadcaster}`,
      ]);
      const start = accountedSat(p);
      assert.equal(totalClaimableSat(claimableBalances(p.state)), start);
      const fees = mineOurs(p);
      assert.equal(accountedSat(p), start - fees);
      assert.ok(balancesOf(p).every((text) => text.startsWith("awaiting ")));
      mineAccounted(p, 507);
      assert.deepEqual(balancesOf(p), []);
      assert.equal(accountedSat(p), start - fees);
    });

    it("a revoked commitment: a second stage counts once, as its HTLC", async () => {
      const { p, ours, theirs } = await withBoth(channelType);
      const old = number(p, "counterparty");
      await fulfill(p, ours, "ours");
      await fulfill(p, theirs, "theirs");
      counterpartyCloses(p, old);
      p.mineEmpty(1);
      const before = balancesOf(p);
      p.mine(htlcSuccessTx(p.channel, "counterparty", old, ours, secretNamed("ours").preimage));
      assert.deepEqual(balancesOf(p), before);
      mineAccounted(p, 512);
      assert.ok(balancesOf(p).includes("revoked 20000"), "also when its first spend is final");
      const start = accountedSat(p);
      const fees = mineOurs(p);
      mineAccounted(p, 518);
      assert.deepEqual(balancesOf(p), []);
      // The cheater paid for its second stage out of the HTLC.
      assert.equal(accountedSat(p), start - fees - (pays ? 177n : 0n));
    });

    it("a cooperative close: our share until it is deep", async () => {
      const p = await protectedChannel({ channelType });
      p.mine(cooperativeCloseTx(p.channel, 500n));
      assert.deepEqual(balancesOf(p), [`awaiting ${p.state.holder.toLocalSat} @506 coopClose`]);
      mineAccounted(p, 505);
      assert.equal(balancesOf(p).length, 1);
      p.mineEmpty(1);
      assert.deepEqual(balancesOf(p), []);
    });

    it("a spend nobody can name counts like a cooperative close", async () => {
      const { p } = await withBoth(channelType);
      p.held = [];
      await pay(p, { from: "holder", sat: 40_000, name: "later" });
      counterpartyCloses(p);
      assert.equal(p.state.spend?.kind, "unknown");
      assert.deepEqual(balancesOf(p), [`awaiting ${p.state.holder.toLocalSat} @506 coopClose`]);
      p.release();
      assert.deepEqual(balancesOf(p).slice(0, 1), [
        `awaiting ${p.state.counterparty.toCountersignatorySat} @506 counterpartyForceClosed`,
      ]);
    });

    it("our own old commitment is not taken for a revoked one", async () => {
      const { p, ours } = await withBoth(channelType);
      await fulfill(p, ours, "ours");
      await pay(p, { from: "holder", sat: 40_000, name: "later" });
      p.mine(p.commitmentOf("holder", 0));
      assert.deepEqual(balancesOf(p), [`awaiting ${p.state.holder.toLocalSat} @506 coopClose`]);
    });

    it("a reorg gives back what was open before", async () => {
      const { p } = await withBoth(channelType);
      const open = balancesOf(p);
      counterpartyCloses(p);
      p.mineEmpty(2);
      p.disconnect(3);
      assert.deepEqual(balancesOf(p), open);
    });

    it("dust and fractions of a satoshi are told as rounded, not as claimable", async () => {
      const p = await protectedChannel({ channelType });
      const hash = (name: string) => secretNamed(name).paymentHash;
      const add = (from: "holder" | "counterparty", amountMsat: bigint, name: string) =>
        p.channel.addHtlc(from, {
          amountMsat: msat(amountMsat),
          paymentHash: hash(name),
          cltvExpiry: blockHeight(600),
        });
      add("holder", 100_001n, "dust");
      add("holder", 20_000_123n, "odd");
      add("counterparty", 100_007n, "their dust");
      const odd = add("counterparty", 30_000_456n, "their odd");
      await p.channel.settle();
      assert.deepEqual(rounded(p), {
        own: 100_124n,
        forwarded: 0n,
        claiming: 0n,
        inbound: 100_463n,
      });
      p.learn(secretNamed("their odd").preimage, odd.source.sourceKey);
      assert.deepEqual(rounded(p), {
        own: 100_124n,
        forwarded: 0n,
        claiming: 456n,
        inbound: 100_007n,
      });
      assert.equal(balancesOf(p).length, 2, "HTLCs without an output have no balance of their own");
    });

    it("the refund of a forward counts, that of an own payment does not", async () => {
      const p = await protectedChannel({ channelType });
      const source = forwardSource({
        channelId: channelId("ee".repeat(32)),
        htlcId: htlcId(1),
        amountMsat: msat(21_000_000),
        cltvExpiry: blockHeight(700),
        userChannelId: undefined,
      });
      p.channel.addHtlc("holder", {
        amountMsat: msat(20_000_009),
        paymentHash: secretNamed("forward").paymentHash,
        cltvExpiry: blockHeight(600),
        source,
      });
      await p.channel.settle();
      const [refund] = claimableBalances(p.state);
      assert.ok(refund !== undefined);
      assert.equal(claimableSat(refund), 20_000n);
      assert.deepEqual(rounded(p), { own: 0n, forwarded: 9n, claiming: 0n, inbound: 0n });
      await pay(p, OURS);
      assert.equal(
        totalClaimableSat(claimableBalances(p.state)),
        p.state.holder.toLocalSat + 20_000n,
      );
    });

    it("the fee is the feerate's for LDK 0.1 nodes, and what no output has for later ones", async () => {
      const feeOf = async (profile: ConstantsProfile): Promise<bigint | undefined> => {
        const p = await protectedChannel({ channelType, profile });
        await pay(p, OURS, { from: "holder", sat: 100, name: "dust", expiry: 520 });
        return onClose(p).candidates[0]?.transactionFeeSat;
      };
      const agreed = ONE_HTLC_FEE[channelType]; // 253 * (724 or 1124, + 172) / 1000
      assert.equal(await feeOf("ldk_0_1"), agreed);
      // A shared anchor takes the dust, which is less than it may hold.
      const dust = channelType === "zero_fee_commitments" ? 0n : 100n;
      assert.equal(await feeOf("ldk_0_2"), agreed + dust);
    });
  });
}
