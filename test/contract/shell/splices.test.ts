/**
 * Splices through a whole host with its SQLite store: the update log and the watch index carry every
 * funding, a restart at any point gives the same state, and our funding key of a splice is checked.
 */
import assert from "node:assert/strict";
import { Transaction } from "bitcoinjs-lib";
import { must } from "@farwatch/protocol/assert";
import { decodeEventPayload } from "@farwatch/protocol/convert/event";
import type { MonitorEventBody } from "@farwatch/protocol/event";
import type { UpdateStep } from "@farwatch/protocol/update";
import type { MonitorState } from "@farwatch/monitor-service/monitor/state";
import { bytesOf, fullySigned } from "../../harness/channel/broadcast.js";
import { createChannel, type Channel } from "../../harness/channel/channel.js";
import { SIDES } from "../../harness/channel/setup.js";
import type { Splice } from "../../harness/channel/splice.js";
import { offer, testChannelOptions } from "../../harness/channel/test-channel.js";
import { fundingTx } from "./funding.js";
import { World } from "./world.js";

const ELSEWHERE = Uint8Array.of(0, 20, ...new Uint8Array(20).fill(5));

describe("splices through a host", function () {
  this.timeout(120_000);
  let world: World;
  let spoil: (steps: readonly UpdateStep[]) => readonly UpdateStep[] | undefined;
  beforeEach(async () => {
    spoil = () => undefined;
    world = await World.start();
  });
  afterEach(() => world.end());

  async function confirmed(): Promise<Channel> {
    const plan = createChannel({
      ...testChannelOptions,
      curve: world.curve,
      onUpdate: async (steps) => {
        const bad = spoil(steps);
        if (bad !== undefined) await refused(channel, bad);
        await world.accept(channel.channelId, steps);
      },
    });
    const funding = fundingTx(plan.fundingScriptPubkey, plan.setup.capacitySat);
    const channel = plan.open(funding.outpoint);
    const request = world.manager.watch(channel.initialState("holder"));
    assert.ok((await world.host.watchChannel(world.manager.who, request)).ok);
    await world.mine(funding.raw);
    return channel;
  }

  /** Refused as foreign, with everything as it was. */
  async function refused({ channelId }: Channel, steps: readonly UpdateStep[]): Promise<void> {
    const head = world.manager.heads.get(channelId);
    const before = await world.rows();
    const outcome = await world.submit(world.manager.update(channelId, steps));
    assert.equal(outcome.refused[0]?.refusal.reason, "keysMismatch");
    assert.deepEqual(await world.rows(), before);
    world.manager.heads.set(channelId, must(head, "a head"));
  }

  let made = 0;
  const splice = (channel: Channel): Promise<Splice> =>
    channel.splices.negotiate({
      addSat: { holder: -50_000n },
      outputs: [{ script: ELSEWHERE, valueSat: 49_000n - BigInt(made++) }],
    });
  const raw = ({ tx }: Splice): Uint8Array => bytesOf(tx);
  const commitmentOn = (channel: Channel, { funding }: Splice, at?: number): Uint8Array =>
    fullySigned(
      channel.splices.setupOn(funding),
      channel.splices.commitmentOn(funding, "counterparty", at),
    );
  const state = ({ channelId }: Channel): MonitorState => {
    const view = world.host.channel(world.manager.who, channelId);
    assert.ok(view.ok);
    return view.value.state;
  };
  const events = ({ channelId }: Channel): readonly MonitorEventBody[] =>
    world.host.pendingEvents(world.manager.who, channelId).map((event) => {
      const payload = decodeEventPayload(event.payload);
      assert.ok(payload.ok);
      return payload.value.body;
    });
  const restart = async (): Promise<void> => {
    await world.restart();
    await world.openSession();
  };
  /** Inputs of what was published that spend outputs of this transaction. */
  const claimedOf = (txid: string): number =>
    world.chain.broadcasts
      .map((bytes) => Transaction.fromBuffer(Buffer.from(bytes)))
      .flatMap(({ ins }) => ins)
      .filter(({ hash }) => Buffer.from(hash).reverse().toString("hex") === txid).length;

  it("gives the same state after every message of a dance on several fundings", async () => {
    const channel = await confirmed();
    const step = async (): Promise<boolean> => {
      for (const side of SIDES) {
        if (channel.owesRevocation(side)) await channel.revoke(side);
        else if (channel.onItsWayTo(side) !== undefined) await channel.receiveNext(side);
        else if (channel.canSign(side)) await channel.signCommitment(side);
        else continue;
        return true;
      }
      return false;
    };
    const same = async (): Promise<void> => {
      const before = world.stateOf(channel.channelId);
      await restart();
      assert.deepEqual(world.stateOf(channel.channelId), before);
    };
    await splice(channel);
    await same();
    const second = await splice(channel);
    offer(channel, "holder", 50_000, "one");
    offer(channel, "counterparty", 60_000, "two");
    while (await step()) await same();
    await channel.splices.lock(second);
    await same();
    offer(channel, "holder", 20_000, "three");
    while (await step()) await same();
    assert.equal(state(channel).parameters.funding.txid, second.funding.txid);
  });

  it("follows a splice into the chain, and a close on it, through a restart", async () => {
    const channel = await confirmed();
    offer(channel, "counterparty", 60_000, "two");
    await channel.settle();
    const first = await splice(channel);
    const second = await splice(channel);
    await restart();
    await world.mine(raw(second));
    assert.deepEqual([state(channel).spend, events(channel).length], [undefined, 0]);
    assert.equal(state(channel).alternativeFunding?.txid, second.funding.txid);
    await restart();
    await world.mine(commitmentOn(channel, second));
    assert.equal(state(channel).spend?.kind, "counterparty");
    await world.mineEmpty(5);
    assert.deepEqual(
      events(channel).filter(({ kind }) => kind === "discardFunding"),
      [{ kind: "discardFunding", funding: first.funding }],
    );
  });

  it("punishes a revoked commitment on a splice, with its HTLCs from the update log", async () => {
    const channel = await confirmed();
    offer(channel, "holder", 50_000, "one");
    await channel.settle();
    const candidates = [await splice(channel), await splice(channel)];
    offer(channel, "counterparty", 60_000, "two");
    await channel.settle();
    const last = must(candidates[1], "the second");
    const cheat = channel.splices.commitmentOn(last.funding, "counterparty");
    const cheatTx = commitmentOn(channel, last);
    offer(channel, "holder", 70_000, "three");
    await channel.settle();
    await channel.splices.lock(last);
    offer(channel, "holder", 10_000, "four");
    await channel.settle();
    await restart();
    await world.mine(raw(last));
    await world.mine(cheatTx);
    assert.equal(state(channel).spend?.kind, "revoked");
    assert.equal(claimedOf(cheat.built.txid), cheat.htlcs.length + 1, "both HTLCs and to_local");
  });

  it("punishes the first commitment on a splice, which only the splice's own step carried", async () => {
    const channel = await confirmed();
    offer(channel, "holder", 50_000, "one");
    await channel.settle();
    const only = await splice(channel);
    const cheat = channel.splices.commitmentOn(only.funding, "counterparty");
    const cheatTx = commitmentOn(channel, only);
    for (const name of ["two", "three"]) {
      offer(channel, "counterparty", 60_000, name);
      await channel.settle();
    }
    await restart();
    await world.mine(raw(only), cheatTx);
    assert.equal(state(channel).spend?.kind, "revoked");
    assert.equal(claimedOf(cheat.built.txid), cheat.htlcs.length + 1);
  });

  it("refuses a splice whose funding key this host does not have", async () => {
    const channel = await confirmed();
    spoil = (steps) =>
      steps.map((step) =>
        step.kind === "renegotiatedFunding"
          ? {
              ...step,
              parameters: {
                ...step.parameters,
                holderPubkeys: {
                  ...step.parameters.holderPubkeys,
                  fundingPubkey: step.parameters.counterpartyPubkeys.fundingPubkey,
                },
              },
            }
          : step,
      );
    await splice(channel);
    assert.equal(state(channel).pendingFundings.length, 1, "the good one was taken");
  });

  it("answers an update from before the splice again after it is locked", async () => {
    const channel = await confirmed();
    const steps = [{ kind: "shutdownScript", scriptPubkey: ELSEWHERE }] as const;
    const update = world.manager.update(channel.channelId, steps);
    assert.deepEqual((await world.submit(update)).refused, []);
    await channel.splices.lock(await splice(channel));
    assert.deepEqual((await world.submit(update)).refused, []);
  });

  it("watches a channel that was spliced before, and signs on its funding", async () => {
    const channel = await confirmed();
    const only = await splice(channel);
    await channel.splices.lock(only);
    offer(channel, "holder", 50_000, "one");
    await channel.settle();
    await world.loseStore();
    const request = world.manager.watch(channel.splices.stateNow("holder"));
    const watched = await world.host.watchChannel(world.manager.who, request);
    assert.ok(watched.ok, watched.ok ? "" : watched.error.message);
    offer(channel, "counterparty", 40_000, "two");
    await channel.settle();
    await channel.forceClose("holder");
    await world.running.published();
    const ours = channel.commitment("holder");
    const sent = world.chain.broadcasts.map((bytes) => Transaction.fromBuffer(Buffer.from(bytes)));
    const published = must(sent.at(-1), "our commitment");
    assert.equal(published.getId(), ours.built.txid);
    assert.deepEqual(
      Buffer.from(published.toBuffer()),
      Buffer.from(fullySigned(channel.setup, ours)),
      "signed with the key of the splice",
    );
  });

  it("refuses to watch a spliced channel without the parent of its funding", async () => {
    const channel = await confirmed();
    await channel.splices.lock(await splice(channel));
    await world.loseStore();
    const now = channel.splices.stateNow("holder");
    const parameters = { ...now.parameters, spliceParentFundingTxid: undefined };
    const request = world.manager.watch({ ...now, parameters });
    const watched = await world.host.watchChannel(world.manager.who, request);
    assert.equal(!watched.ok && watched.error.reason, "keysMismatch");
  });
});
