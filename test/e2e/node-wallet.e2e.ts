/**
 * Goal: with `fees.wallet = "events"` the node's own wallet brings our commitment and its second stage into
 * the chain, through Subscribe and SignBump of the manager. Method: a manager and two monitors as processes;
 * a bitcoind that mines nothing at the commitment's own fee; its wallet plays the node's, and builds only
 * from what the requests say.
 */
import assert from "node:assert/strict";
import { status, type ServiceError } from "@grpc/grpc-js";
import { must } from "@farwatch/protocol/assert";
import type { BumpTransaction } from "@farwatch/protocol/bump";
import { fromHex, toHex } from "@farwatch/protocol/bytes";
import { bumpItemFromWire } from "@farwatch/protocol/convert/bump";
import type { BumpTransaction as Asked } from "@farwatch/protocol/gen/manager/v1/event";
import type {
  ForceCloseResponse,
  SignBumpRequest,
  SignBumpResponse,
} from "@farwatch/protocol/gen/manager/v1/manager_service";
import { txidFromInternal, type ChannelId } from "@farwatch/protocol/ids";
import { startRegtest, type Regtest } from "../harness/bitcoind/node.js";
import { findSpend, isSpentInMempool, until } from "../harness/cluster/chain-facts.js";
import { Stage } from "../harness/cluster/stage.js";
import { fundBump } from "./node-wallet.js";

/** BTC per 1000 vbytes: above the 1 sat/vB of a keyed commitment, below what the wallet funds with. */
const MINES_FROM = "-blockmintxfee=0.000015";
const [A, B] = ["monitor-a", "monitor-b"] as const;
const HTLC_SAT = 60_000n;

describe("the node's wallet pays", function () {
  this.timeout(180_000);
  let bitcoind: Regtest;
  before(async () => {
    bitcoind = await startRegtest({ zmq: true, extraArgs: [MINES_FROM] });
  });
  after(() => bitcoind.stop());

  for (const channelType of ["anchors_zero_fee_htlc", "zero_fee_commitments"] as const) {
    it(`${channelType}: for our commitment, then for its HTLC`, async () => {
      const stage = await Stage.open({ channelType, bitcoind, monitors: 2, feeWallet: "events" });
      try {
        await payForClose(stage);
      } finally {
        await stage.close();
      }
    });
  }

  async function payForClose(stage: Stage): Promise<void> {
    const { node, cluster } = stage;
    const { channelId } = node.channel;
    const { preimage } = await node.receiveOffer(HTLC_SAT);
    await node.channel.learnPreimage("holder", preimage);
    await forceClose(stage, channelId);
    const { claimId, of, targetFeerate } = await wanted(stage, A, "commitment");
    assert.ok(of.kind === "commitment");
    const { outpoint } = of.anchor;
    await bitcoind.mine(1);
    const height = await bitcoind.height();
    assert.equal(await findSpend(bitcoind, outpoint, height), undefined);
    assert.equal(await isSpentInMempool(bitcoind, outpoint), false);

    // Each monitor asks for itself; both may have the same answer, any number of times.
    const other = await wanted(stage, B, "commitment");
    assert.deepEqual([other.claimId, other.of], [claimId, of]);
    const { psbt, transaction } = await fundBump(bitcoind, { claimId, of, targetFeerate });
    const asPsbt = { $case: "psbt", value: psbt } as const;
    const child = await signBump(stage, A, channelId, claimId, asPsbt);
    assert.ok((await bitcoind.mempool()).includes(child), "sent with its commitment");
    for (const monitor of [B, A]) {
      const funded = { $case: "transaction", value: transaction } as const;
      assert.equal(await signBump(stage, monitor, channelId, claimId, funded), child);
    }
    await restartOneMonitor(stage, channelId, claimId, asPsbt);

    await stage.mine(1);
    const spend = must(await findSpend(bitcoind, outpoint, height), "the confirmed child");
    assert.equal(spend.txid, child);
    await until("both claims over", () => isOver(stage, A, claimId) && isOver(stage, B, claimId));

    // A node that starts anew is told what is open, and only that.
    const client = cluster.connectNode(2n, node.cursor());
    await client.connect();
    node.client.close();
    node.useClient(client);
    await until("the replay", () => client.replayDone);
    const second = await wanted(stage, B, "htlcs");
    assert.ok(second.of.kind === "htlcs");
    assert.ok(told(stage).every(({ request }) => toHex(idOf(request)) !== claimId));
    const [htlc] = second.of.htlcs;
    const stageTwo = await fundBump(bitcoind, second);
    const funded = { $case: "psbt", value: stageTwo.psbt } as const;
    const claim = await signBump(stage, B, channelId, second.claimId, funded);
    const confirmed = await stage.confirmed(must(htlc, "HTLC").outpoint);
    assert.equal(confirmed.txid, claim);
  }

  /** What it asked for stands meanwhile, and is not told as over when it is back. */
  async function restartOneMonitor(
    stage: Stage,
    channelId: ChannelId,
    claimId: string,
    funded: NonNullable<SignBumpRequest["funded"]>,
  ): Promise<void> {
    const { process } = must(stage.cluster.monitors[1], B);
    await process.kill9();
    await until("the manager knows", async () => {
      const code = await signBump(stage, B, channelId, claimId, funded).catch(codeOf);
      return code === status.UNAVAILABLE;
    });
    await process.start();
    const before = told(stage).length;
    await until("asked again", () => told(stage).length > before);
    assert.equal(isOver(stage, B, claimId), false);
  }

  async function forceClose({ node }: Stage, channelId: ChannelId): Promise<void> {
    const { client } = node;
    const request = { channelId: buffer(channelId), reason: "test", overrideStale: false };
    await client.call<ForceCloseResponse>((done) =>
      client.rpc.forceClose(request, client.metadata, done),
    );
  }

  async function signBump(
    { node }: Stage,
    monitor: string,
    channelId: ChannelId,
    claimId: string,
    funded: NonNullable<SignBumpRequest["funded"]>,
  ): Promise<string> {
    const { client } = node;
    const ids = { channelId: buffer(channelId), claimId: buffer(claimId) };
    const { txid } = await client.call<SignBumpResponse>((done) =>
      client.rpc.signBump({ monitor, ...ids, funded }, client.metadata, done),
    );
    return txidFromInternal(txid);
  }
});

const buffer = (hex: string): Buffer => Buffer.from(fromHex(hex));
const codeOf = (error: ServiceError): string | number => error.code;
const idOf = (request: Asked["request"]): Uint8Array => must(request, "request").claimId;

const told = (stage: Stage): readonly Asked[] =>
  stage.userEvents().flatMap((event) => (event.$case === "bumpTransaction" ? [event.value] : []));

const isOver = (stage: Stage, monitor: string, claimId: string): boolean =>
  told(stage)
    .filter((item) => item.monitor === monitor && toHex(idOf(item.request)) === claimId)
    .at(-1)?.ended === true;

/** The newest request of that monitor and kind, waited for. */
async function wanted(
  stage: Stage,
  monitor: string,
  kind: BumpTransaction["of"]["kind"],
): Promise<BumpTransaction> {
  const find = (): BumpTransaction | undefined =>
    told(stage)
      .flatMap((item) => {
        const read = bumpItemFromWire(item);
        assert.ok(read.ok, "readable");
        return item.monitor === monitor && "request" in read.value ? [read.value.request] : [];
      })
      .findLast(({ of }) => of.kind === kind);
  await until(`${monitor} asks for ${kind}`, () => find() !== undefined);
  return must(find(), kind);
}
