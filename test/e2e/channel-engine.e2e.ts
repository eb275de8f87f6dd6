/**
 * Goal: everything the channel engine says can be published is accepted by a real bitcoind, and nothing
 * before its time. Method: both channel types, payments both ways with dust, then commitments of both
 * sides (revoked ones too), second-stage transactions, claims and sweeps.
 */
import assert from "node:assert/strict";
import { z } from "zod";
import { msat, sat } from "@farwatch/protocol/amount";
import { must } from "@farwatch/protocol/assert";
import { blockDelta } from "@farwatch/protocol/block";
import { toHex } from "@farwatch/protocol/bytes";
import type { ChannelType } from "@farwatch/protocol/channel";
import { txid } from "@farwatch/protocol/ids";
import { startRegtest, type Regtest } from "../harness/bitcoind/node.js";
import {
  broadcastableCommitment,
  finishedTx,
  secondStageDraft,
  type SecondStageDraft,
} from "../harness/channel/broadcast.js";
import { createChannel, type Channel } from "../harness/channel/channel.js";
import {
  claimAfterTimeout,
  claimWithPreimage,
  sweepSecondStage,
  sweepToLocal,
  sweepToRemote,
} from "../harness/channel/claims.js";
import { cooperativeCloseTx } from "../harness/channel/cooperative-close.js";
import type { Htlc } from "../harness/channel/ledger.js";
import { bySide, otherSide, SIDES, type Side } from "../harness/channel/setup.js";
import { offer, secretNamed } from "../harness/channel/test-channel.js";
import { withWalletFee } from "../harness/channel/wallet-fee.js";

const CONTEST_DELAY = 6;
const BLOCKS_TO_EXPIRY = 15;
const DUST_SAT = 200;
const SECOND_STAGE_FEE_SAT = 2_000n;

const verdicts = z.array(
  z.object({ allowed: z.boolean().default(false), "reject-reason": z.string().default("") }),
);

/** A channel after three finished payments, with three more pending in the newest commitments. */
interface Paid {
  readonly channel: Channel;
  /** Number of each side's revoked commitment that holds the first three HTLCs. */
  readonly revoked: Readonly<Record<Side, number>>;
  readonly expiry: number;
  /** By round ("1" finished, "2" pending): out, in and dust. */
  readonly htlcs: Readonly<Record<"out1" | "in1" | "out2" | "in2", Htlc>>;
}

describe("channel engine on a real chain", function () {
  this.timeout(240_000);
  let node: Regtest;
  before(async () => {
    node = await startRegtest();
  });
  after(() => node.stop());

  const reason = async (raw: Uint8Array): Promise<string> => {
    const [verdict] = verdicts.parse(await node.rpc("testmempoolaccept", [[toHex(raw)]]));
    const { allowed, "reject-reason": why } = must(verdict, "verdict");
    return allowed ? "accepted" : why;
  };
  const assertAccepted = async (raw: Uint8Array, what: string): Promise<void> =>
    assert.equal(await reason(raw), "accepted", what);
  const publish = async (raw: Uint8Array): Promise<void> => {
    await node.rpc("sendrawtransaction", [toHex(raw)]);
    await node.mine(1);
  };
  const mineTo = async (height: number): Promise<void> => {
    const missing = height - (await node.height());
    if (missing > 0) await node.mine(missing);
  };

  async function open(channelType: ChannelType): Promise<Channel> {
    const contestDelay = blockDelta(CONTEST_DELAY);
    const plan = createChannel({
      channelType,
      capacitySat: sat(1_000_000),
      pushMsat: msat(400_000_000),
      holder: { contestDelay },
      counterparty: { contestDelay },
    });
    const funding = await node.fund(plan.fundingScriptPubkey, plan.setup.capacitySat);
    await node.mine(1);
    return plan.open({ txid: txid(funding.txid), vout: funding.vout });
  }

  async function paid(channelType: ChannelType): Promise<Paid> {
    const channel = await open(channelType);
    const expiry = (await node.height()) + BLOCKS_TO_EXPIRY;
    const round = async (n: string) => {
      const out = offer(channel, "holder", 50_000, `out${n}`, expiry);
      const inbound = offer(channel, "counterparty", 60_000, `in${n}`, expiry);
      const dust = offer(channel, "holder", DUST_SAT, `dust${n}`, expiry);
      await channel.settle();
      return { out, inbound, dust };
    };
    const first = await round("1");
    const revoked = bySide((side) => channel.commitment(side).number);
    await channel.fulfillHtlc(first.out, secretNamed("out1").preimage);
    await channel.fulfillHtlc(first.inbound, secretNamed("in1").preimage);
    await channel.fulfillHtlc(first.dust, secretNamed("dust1").preimage);
    await channel.settle();
    const second = await round("2");
    const htlcs = {
      out1: first.out,
      in1: first.inbound,
      out2: second.out,
      in2: second.inbound,
    };
    return { channel, revoked, expiry, htlcs };
  }

  /** Signs a second-stage transaction in the way of its channel type; needs a confirmed parent. */
  async function secondStage(channel: Channel, draft: SecondStageDraft): Promise<Uint8Array> {
    if (channel.setup.channelType === "static_remote_key") return finishedTx(draft);
    assert.match(await reason(finishedTx(draft)), /fee not met/, "zero fee by itself");
    return withWalletFee(node.wallet, draft, SECOND_STAGE_FEE_SAT);
  }

  /** Publishes `side`'s commitment `number` and spends its HTLCs in the broadcaster's way. */
  async function spendBySecondStage(run: Paid, side: Side, number: number, round: "1" | "2") {
    const { channel, expiry, htlcs } = run;
    await publish(broadcastableCommitment(channel, side, number));
    const [offered, received] =
      side === "holder"
        ? [htlcs[`out${round}`], htlcs[`in${round}`]]
        : [htlcs[`in${round}`], htlcs[`out${round}`]];
    const name = `${side === "holder" ? "in" : "out"}${round}`;
    const { preimage } = secretNamed(name);
    const successDraft = secondStageDraft(channel, side, number, received, preimage);
    const success = await secondStage(channel, successDraft);
    await publish(success);
    const timeoutDraft = secondStageDraft(channel, side, number, offered);
    assert.equal(await reason(finishedTx(timeoutDraft)), "non-final", "before its expiry");
    await mineTo(expiry);
    const timeout = await secondStage(channel, timeoutDraft);
    await publish(timeout);
    const sweep = sweepSecondStage(channel, side, number, timeout);
    assert.equal(await reason(sweep), "non-BIP68-final", "before its delay");
    await node.mine(CONTEST_DELAY - 1);
    await assertAccepted(sweep, "sweep of HTLC-timeout");
    await assertAccepted(sweepSecondStage(channel, side, number, success), "of HTLC-success");
    await assertAccepted(sweepToLocal(channel, side, number), "sweep of to_local");
  }

  for (const channelType of ["static_remote_key", "anchors_zero_fee_htlc"] as const) {
    describe(channelType, () => {
      it("publishes the newest and a revoked commitment of each side", async () => {
        const { channel, revoked } = await paid(channelType);
        for (const side of SIDES) {
          const newest = channel.commitment(side);
          const dust = newest.htlcs.filter(({ outputIndex }) => outputIndex === undefined);
          assert.equal(newest.htlcs.length, 3);
          assert.equal(dust.length, 1, "dust is trimmed");
          assert.ok(channel.revokedBelow(side) > revoked[side]);
          await assertAccepted(broadcastableCommitment(channel, side), `${side}'s newest`);
          await assertAccepted(
            broadcastableCommitment(channel, side, revoked[side]),
            `${side}'s old`,
          );
        }
      });

      it("lets the counterparty cheat with second-stage transactions of a revoked commitment", async () => {
        const run = await paid(channelType);
        await spendBySecondStage(run, "counterparty", run.revoked.counterparty, "1");
      });

      it("lets the holder close with the second-stage transactions of its newest", async () => {
        const run = await paid(channelType);
        await spendBySecondStage(run, "holder", run.channel.received("holder"), "2");
      });

      for (const side of SIDES) {
        it(`lets the other side claim on the newest commitment of the ${side}`, async () => {
          const { channel, expiry, htlcs } = await paid(channelType);
          const { number } = channel.commitment(side);
          await publish(broadcastableCommitment(channel, side));
          const [offered, received, name] =
            side === "holder" ? [htlcs.out2, htlcs.in2, "out2"] : [htlcs.in2, htlcs.out2, "in2"];
          const { preimage } = secretNamed(name);
          const claim = claimWithPreimage(channel, side, number, offered, preimage);
          await assertAccepted(claim, "claim by preimage");
          await assertAccepted(sweepToRemote(channel, side, number), "to_remote");
          const takeBack = claimAfterTimeout(channel, side, number, received);
          assert.equal(await reason(takeBack), "non-final", "before its expiry");
          await mineTo(expiry);
          await assertAccepted(takeBack, `timeout claim of the ${otherSide(side)}`);
        });
      }

      it("closes cooperatively", async () => {
        const channel = await open(channelType);
        const htlc = offer(channel, "holder", 50_000, "out");
        await channel.settle();
        assert.throws(() => cooperativeCloseTx(channel, 500n), /htlcsPending/);
        await channel.fulfillHtlc(htlc, secretNamed("out").preimage);
        await channel.settle();
        await assertAccepted(cooperativeCloseTx(channel, 500n), "cooperative close");
      });
    });
  }
});
