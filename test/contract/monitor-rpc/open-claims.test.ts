/**
 * GetChannel of a closing channel: what is claimed and by which transaction, what waits for a wallet's
 * fee, which balances are left, and why it is not archived yet.
 */
import assert from "node:assert/strict";
import { Transaction } from "bitcoinjs-lib";
import type { ChannelType } from "@farwatch/protocol/channel";
import { fromHex } from "@farwatch/protocol/bytes";
import {
  ArchivalHindrance,
  ClosingState,
  type GetChannelResponse,
  type MonitorServiceClient,
} from "@farwatch/protocol/gen/monitor/v1/monitor_service";
import { FundingSpendKind } from "@farwatch/protocol/gen/monitor/v1/event";
import { txidFromInternal } from "@farwatch/protocol/ids";
import { NEVER_FUNDED_REASON } from "@farwatch/protocol/update";
import { must } from "@farwatch/protocol/assert";
import { broadcastableCommitment } from "../../harness/channel/broadcast.js";
import { createChannel, type Channel } from "../../harness/channel/channel.js";
import { offer, secretNamed, testChannelOptions } from "../../harness/channel/test-channel.js";
import { fundingTx } from "../shell/funding.js";
import { World } from "../shell/world.js";
import { Bench, call, createCertificates, type Certificates } from "./bench.js";

const EXPIRY = 400;

describe("MonitorService, a closing channel", function () {
  this.timeout(60_000);
  let certificates: Certificates;
  let bench: Bench;
  let world: World;
  let client: MonitorServiceClient;
  before(async () => {
    certificates = await createCertificates();
  });
  after(() => certificates.remove());
  beforeEach(async () => {
    world = await World.start();
    bench = new Bench(certificates);
    client = bench.client(await bench.serve(world.host, { who: world.manager.who }));
  });
  afterEach(async () => {
    await bench.close();
    await world.end();
  });

  async function funded(channelType: ChannelType): Promise<Channel> {
    const plan = createChannel({
      ...testChannelOptions,
      channelType,
      curve: world.curve,
      onUpdate: async (steps) => void (await world.accept(channel.channelId, steps)),
    });
    const funding = fundingTx(plan.fundingScriptPubkey, plan.setup.capacitySat);
    const channel = plan.open(funding.outpoint);
    const request = world.manager.watch(channel.initialState("holder"));
    assert.ok((await world.host.watchChannel(world.manager.who, request)).ok);
    await world.mine(funding.raw);
    offer(channel, "holder", 50_000, "out", EXPIRY);
    offer(channel, "counterparty", 60_000, "in", EXPIRY);
    await channel.settle();
    await channel.learnPreimage("holder", secretNamed("in").preimage);
    return channel;
  }

  const show = ({ channelId }: Channel): Promise<GetChannelResponse> =>
    call((done) => client.getChannel({ channelId: Buffer.from(fromHex(channelId)) }, done));

  it("closed by the counterparty: each claim with its transaction, until its spend is final", async () => {
    const channel = await funded("static_remote_key");
    const sentBefore = world.chain.broadcasts.length;
    await world.mine(broadcastableCommitment(channel, "counterparty"));
    const view = await show(channel);
    assert.equal(view.closingState, ClosingState.SPEND_SEEN);
    assert.equal(view.fundingSpend?.kind, FundingSpendKind.COUNTERPARTY);
    assert.equal(view.fundingSpend.block?.height, 202);
    assert.deepEqual(view.openBumps, []);
    assert.equal(view.archival?.hindrance, ArchivalHindrance.OPEN_BALANCES);
    const byKind = new Map(view.openClaims.map((claim) => [claim.kind, claim]));
    const refund = must(byKind.get("counterpartyReceived"), "ours, after expiry");
    assert.deepEqual(
      [refund.txid, refund.feeSat, refund.notBeforeHeight, refund.valueSat, refund.spent],
      [undefined, 0n, EXPIRY, 50_000n, false],
    );
    const taken = must(byKind.get("counterpartyOffered"), "theirs, by preimage");
    const raw = must(world.chain.broadcasts[sentBefore], "the claim");
    assert.equal(txidFromInternal(must(taken.txid, "out")), Transaction.fromBuffer(raw).getId());
    assert.ok(taken.feeSat > 0n && taken.feeratePerKw >= 253);
    assert.equal(taken.deadlineHeight, EXPIRY);
    assert.ok(must(taken.nextBumpHeight, "timer") > 202);
    assert.equal(view.openClaims.length, 2);

    await world.mine(raw);
    const spent = await show(channel);
    const after = spent.openClaims.find(({ kind }) => kind === "counterpartyOffered");
    assert.deepEqual([after?.spent, after?.txid], [true, undefined]);
    await world.mineEmpty(5);
    assert.deepEqual(
      (await show(channel)).openClaims.map(({ kind }) => kind),
      ["counterpartyReceived"],
    );
  });

  it("closed by the node without a broadcast: held, and why it stays", async () => {
    const channel = await funded("static_remote_key");
    await channel.forceClose("holder", false, "the peer knows more");
    const view = await show(channel);
    assert.equal(view.closingState, ClosingState.HELD);
    assert.equal(view.staleSuspected, true);
    assert.equal(view.neverFunded, false);
    assert.equal(view.archival?.hindrance, ArchivalHindrance.NOT_CLOSED);
    const unfunded = await world.open();
    await unfunded.forceClose("holder", false, NEVER_FUNDED_REASON);
    const waiting = await show(unfunded);
    assert.equal(waiting.neverFunded, true);
    assert.equal(waiting.archival?.hindrance, ArchivalHindrance.DELAY);
    assert.equal(waiting.archival.dueAtHeight, world.host.info().tip.height + 2016);
  });

  it("closed by us with anchors: what a wallet has to pay for, then for the second stages", async () => {
    const channel = await funded("anchors_zero_fee_htlc");
    await channel.forceClose("holder", true);
    const asked = await show(channel);
    assert.equal(asked.closingState, ClosingState.HOLDER_BROADCAST);
    assert.equal(asked.archival?.hindrance, ArchivalHindrance.NOT_CLOSED);
    const [bump, ...more] = asked.openBumps;
    assert.deepEqual(more, []);
    const { built } = channel.commitment("holder");
    assert.equal(bump?.kind, "commitment");
    assert.equal(bump.outpoints[0]?.vout, built.toLocalAnchorIndex);
    assert.ok(bump.maxFeeSat > 0n && bump.targetFeeratePerKw >= 253);
    assert.equal(bump.claimId.length, 32);

    await world.mine(broadcastableCommitment(channel, "holder"));
    const closed = await show(channel);
    assert.deepEqual(
      closed.openBumps.map(({ kind, outpoints }) => [kind, outpoints.length]),
      [["htlcs", 1]],
    );
    assert.deepEqual(
      closed.openClaims.map(({ kind, notBeforeHeight, deadlineHeight }) => [
        kind,
        notBeforeHeight,
        deadlineHeight,
      ]),
      [
        ["holderHtlcTimeout", EXPIRY, undefined],
        ["holderHtlcSuccess", 0, EXPIRY],
      ],
    );
    assert.deepEqual(
      closed.balances.map(({ kind }) => kind?.$case),
      ["maybeTimeout", "contentious", "awaitingConfirmations"],
    );
  });
});
