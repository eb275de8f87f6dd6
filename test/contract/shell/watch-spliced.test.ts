/**
 * Watching a channel whose splices are still pending (WatchChannel, pending_fundings): it stands as if
 * this monitor had been there when they were negotiated, and justice finds what no update has carried.
 */
import assert from "node:assert/strict";
import { Transaction } from "bitcoinjs-lib";
import { must } from "@farwatch/protocol/assert";
import type { InitialState } from "@farwatch/protocol/channel";
import type { Refusal } from "@farwatch/protocol/reasons";
import type { MonitorState } from "@farwatch/monitor-service/monitor/state";
import { bytesOf, fullySigned } from "../../harness/channel/broadcast.js";
import { createChannel, type Channel } from "../../harness/channel/channel.js";
import type { Splice } from "../../harness/channel/splice.js";
import { offer, testChannelOptions } from "../../harness/channel/test-channel.js";
import { fundingTx } from "./funding.js";
import { World } from "./world.js";

const ELSEWHERE = Uint8Array.of(0, 20, ...new Uint8Array(20).fill(5));

describe("watching a channel whose splice is pending", function () {
  this.timeout(120_000);
  let world: World;
  let channel: Channel;
  let candidates: readonly Splice[];
  /** Set once this monitor watches the channel: what came before was told to nobody. */
  let watching: boolean;
  beforeEach(async () => {
    world = await World.start();
    watching = false;
    const plan = createChannel({
      ...testChannelOptions,
      curve: world.curve,
      onUpdate: async (steps) => {
        if (watching) await world.accept(channel.channelId, steps);
      },
    });
    const funding = fundingTx(plan.fundingScriptPubkey, plan.setup.capacitySat);
    channel = plan.open(funding.outpoint);
    await world.mine(funding.raw);
    offer(channel, "holder", 50_000, "one");
    offer(channel, "counterparty", 60_000, "two");
    await channel.settle();
    candidates = [await splice(49_000n), await splice(48_000n)];
  });
  afterEach(() => world.end());

  const splice = (valueSat: bigint): Promise<Splice> =>
    channel.splices.negotiate({
      addSat: { holder: -50_000n },
      outputs: [{ script: ELSEWHERE, valueSat }],
    });
  const candidate = (index: number): Splice => must(candidates[index], "a candidate");
  const watch = async (initial: InitialState): Promise<Refusal | undefined> => {
    const request = world.manager.watch(initial);
    const watched = await world.host.watchChannel(world.manager.who, request);
    watching = watched.ok;
    return watched.ok ? undefined : watched.error;
  };
  const now = (): InitialState => channel.splices.stateNow("holder");
  const state = (): MonitorState => {
    const view = world.host.channel(world.manager.who, channel.channelId);
    assert.ok(view.ok);
    return view.value.state;
  };
  const sent = () =>
    world.chain.broadcasts.map((bytes) => Transaction.fromBuffer(Buffer.from(bytes)));
  const spendersOf = (txid: string) =>
    sent()
      .flatMap(({ ins }) => ins)
      .filter(({ hash }) => Buffer.from(hash).reverse().toString("hex") === txid);

  it("stands as if it had been told of each when it was negotiated", async () => {
    assert.equal(await watch(now()), undefined);
    assert.deepEqual(
      state().pendingFundings.map(({ parameters, holder, counterparty, discarded }) => ({
        funding: parameters.funding,
        holder: holder.txid,
        counterparty: counterparty.txid,
        discarded,
      })),
      candidates.map(({ funding }) => ({
        funding,
        holder: channel.splices.commitmentOn(funding, "holder").built.txid,
        counterparty: channel.splices.commitmentOn(funding, "counterparty").built.txid,
        discarded: false,
      })),
    );
    const before = world.stateOf(channel.channelId);
    await world.restart();
    await world.openSession();
    assert.deepEqual(world.stateOf(channel.channelId), before);
    offer(channel, "holder", 20_000, "three");
    await channel.settle();
    await channel.splices.lock(candidate(1));
    assert.equal(state().parameters.funding.txid, candidate(1).funding.txid);
  });

  it("goes on chain on the candidate that confirmed, signed with its key", async () => {
    assert.equal(await watch(now()), undefined);
    await world.mine(bytesOf(candidate(0).tx));
    assert.equal(state().spend, undefined, "a splice closes nothing");
    await channel.forceClose("holder");
    await world.running.published();
    const { funding } = candidate(0);
    const ours = channel.splices.commitmentOn(funding, "holder");
    assert.deepEqual(
      Buffer.from(must(sent().at(-1), "our commitment").toBuffer()),
      Buffer.from(fullySigned(channel.splices.setupOn(funding), ours)),
    );
  });

  it("finds the splice in the blocks since the node's best block", async () => {
    const { height, hash } = world.chain.tipBlock.header;
    await world.mine(bytesOf(candidate(1).tx));
    const bestBlock = { height, hash };
    assert.equal(await watch({ ...now(), bestBlock }), undefined);
    assert.equal(state().alternativeFunding?.txid, candidate(1).funding.txid);
    assert.equal(state().spend, undefined);
  });

  it("punishes the commitment on a candidate that only the first state carried", async () => {
    assert.equal(await watch(now()), undefined);
    const cheat = channel.splices.commitmentOn(candidate(1).funding, "counterparty");
    const raw = fullySigned(channel.splices.setupOn(candidate(1).funding), cheat);
    offer(channel, "holder", 70_000, "three");
    await channel.settle();
    await world.restart();
    await world.mine(bytesOf(candidate(1).tx), raw);
    assert.equal(state().spend?.kind, "revoked");
    const { length } = spendersOf(cheat.built.txid);
    assert.equal(length, cheat.htlcs.length + 1, "both HTLCs and to_local");
  });

  it("refuses a candidate whose key this host lacks, or whose commitment is not the current", async () => {
    const initial = now();
    const [first, second] = initial.pendingFundings;
    assert.ok(first !== undefined && second !== undefined);
    const { parameters } = second;
    const { holderPubkeys, counterpartyPubkeys } = parameters;
    const foreign = { ...holderPubkeys, fundingPubkey: counterpartyPubkeys.fundingPubkey };
    const strange = { ...second, parameters: { ...parameters, holderPubkeys: foreign } };
    const withSecond = (other: typeof second): InitialState => ({
      ...initial,
      pendingFundings: [first, other],
    });
    assert.equal((await watch(withSecond(strange)))?.reason, "keysMismatch");
    const { holderCommitment } = second;
    const signature = Uint8Array.from(holderCommitment.counterpartySignature);
    signature[40] = (signature[40] ?? 0) ^ 1;
    const unsigned = { ...holderCommitment, counterpartySignature: signature };
    const bad = await watch(withSecond({ ...second, holderCommitment: unsigned }));
    assert.equal(bad?.reason, "invalidCommitmentSignature");
    const at = "pending_fundings[1].holder_commitment.counterparty_signature";
    assert.equal(bad.details["field"], at);
    const twice = await watch(withSecond(first));
    assert.equal(twice?.details["field"], "pending_fundings[1].parameters.funding");
    assert.equal((await world.store.load()).channels.length, 0);
    assert.equal(await watch(initial), undefined);
  });
});
