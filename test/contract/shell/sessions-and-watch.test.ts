/** OpenSession's fence and WatchChannel's checks, in memory and after a restart (contract 2.2, 2.20, 2.25). */
import assert from "node:assert/strict";
import { blockHash } from "@farwatch/protocol/block";
import type { InitialState } from "@farwatch/protocol/channel";
import { storeId } from "@farwatch/protocol/ids";
import type { Refusal } from "@farwatch/protocol/reasons";
import type { Result } from "@farwatch/protocol/result";
import { MAX_CHANNELS_PER_MANAGER } from "@farwatch/monitor-service/runtime/limits";
import type { WatchRequest } from "@farwatch/monitor-service/runtime/monitor-host";
import { Monitors } from "@farwatch/monitor-service/runtime/monitors";
import { createChannel } from "../../harness/channel/channel.js";
import { NOWHERE, testChannelOptions } from "../../harness/channel/test-channel.js";
import { fundingTx } from "./funding.js";
import { TestManager } from "./test-manager.js";
import { World } from "./world.js";

const reason = (result: Result<unknown, Refusal>): string =>
  result.ok ? "ok" : result.error.reason;

describe("sessions", function () {
  this.timeout(60_000);
  let world: World;
  beforeEach(async () => (world = await World.start()));
  afterEach(() => world.end());
  const open = (epoch: bigint, nonce: number) =>
    world.host.openSession(
      world.manager.who,
      world.manager.session(world.host.info(), epoch, nonce),
    );

  it("fences older epochs, durably, and answers the same epoch and nonce again", async () => {
    assert.equal(reason(await open(5n, 1)), "ok");
    assert.equal(reason(await open(5n, 1)), "ok");
    assert.equal(reason(await open(5n, 2)), "fenced");
    const old = await open(4n, 1);
    assert.ok(!old.ok && old.error.details["current_epoch"] === "5");
    await world.restart();
    assert.equal(reason(await open(4n, 1)), "fenced");
    const again = await open(5n, 1);
    assert.ok(again.ok && again.value.storeGen === 2n);
  });

  it("refuses a session meant for another store or signed by another manager", async () => {
    const { manager, host } = world;
    const info = { ...host.info(), storeId: storeId("ee".repeat(16)) };
    assert.equal(
      reason(await host.openSession(manager.who, manager.session(info, 9n))),
      "otherStore",
    );
    const stranger = new TestManager(world.curve, 8);
    const foreign = stranger.session(host.info(), 9n);
    assert.equal(reason(await host.openSession(manager.who, foreign)), "notYourChannel");
    const unsigned = { ...manager.session(host.info(), 9n), signature: new Uint8Array(64) };
    assert.equal(reason(await host.openSession(manager.who, unsigned)), "signatureInvalid");
    assert.equal((await world.store.load()).epochs[0]?.epoch, 1n);
  });
});

describe("watching a channel", function () {
  this.timeout(60_000);
  let world: World;
  beforeEach(async () => (world = await World.start()));
  afterEach(() => world.end());

  const fresh = (options: Partial<typeof testChannelOptions> = {}) =>
    createChannel({ ...testChannelOptions, curve: world.curve, ...options }).open(NOWHERE);
  const watch = (request: WatchRequest, manager = world.manager) =>
    world.host.watchChannel(manager.who, request);
  const assertNothing = async (initial: InitialState): Promise<void> => {
    const { channelId } = initial.parameters;
    assert.equal(reason(world.host.channel(world.manager.who, channelId)), "channelUnknown");
    assert.equal((await world.store.load()).channels.length, 0);
  };

  it("is durable, answered again for the same bytes, also after a restart", async () => {
    const initial = fresh().initialState("holder");
    const request = world.manager.watch(initial);
    const first = await watch(request);
    assert.ok(first.ok);
    const head = world.manager.heads.get(initial.parameters.channelId);
    assert.equal(first.value.receipts[0]?.updateHash, head?.hash);
    assert.equal(first.value.receipts[0]?.updateId, 0n);
    const state = world.stateOf(initial.parameters.channelId);
    assert.equal(reason(await watch(request)), "ok");
    await world.restart();
    await world.openSession();
    assert.equal(reason(await watch(request)), "ok");
    assert.deepEqual(world.stateOf(initial.parameters.channelId), state);
  });

  it("refuses other bytes for a watched channel and another manager's channel", async () => {
    const initial = fresh().initialState("holder");
    await watch(world.manager.watch(initial));
    const other = {
      ...initial,
      parameters: { ...initial.parameters, destinationScript: Uint8Array.of(0, 1, 1) },
    };
    assert.equal(reason(await watch(world.manager.watch(other))), "alreadyWatched");
    const stranger = new TestManager(world.curve, 8);
    await world.openSession(stranger);
    assert.equal(reason(await watch(stranger.watch(initial), stranger)), "notYourChannel");
  });

  it("refuses keys that this host's seed does not give", async () => {
    const initial = fresh({ holder: { seed: new Uint8Array(32).fill(9) } }).initialState("holder");
    const refused = await watch(world.manager.watch(initial));
    assert.ok(!refused.ok && refused.error.reason === "keysMismatch");
    assert.equal(refused.error.details["which"], "fundingPubkey");
    await assertNothing(initial);
  });

  it("takes a channel whose payment point is the other key of this host's seed (LDK 0.2)", async () => {
    const initial = fresh({ holder: { paymentKey: "v2" } }).initialState("holder");
    assert.equal(reason(await watch(world.manager.watch(initial))), "ok");
  });

  it("refuses a first commitment that the counterparty did not sign", async () => {
    const initial = fresh().initialState("holder");
    const { holderCommitment } = initial;
    const counterpartySignature = initial.holderCommitment.counterpartySignature.map((b, at) =>
      at === 40 ? b ^ 1 : b,
    );
    const bad = { ...initial, holderCommitment: { ...holderCommitment, counterpartySignature } };
    assert.equal(reason(await watch(world.manager.watch(bad))), "invalidCommitmentSignature");
    await assertNothing(initial);
  });

  it("refuses a damaged payload, another epoch, and a header that names another channel", async () => {
    const initial = fresh().initialState("holder");
    const { manager } = world;
    const request = manager.watch(initial);
    const payload = request.payload.map((byte, at) => (at === 9 ? byte ^ 1 : byte));
    assert.equal(reason(await watch({ ...request, payload })), "malformed");
    manager.epoch = 3n;
    assert.equal(reason(await watch(manager.watch(initial))), "sessionNotOpen");
    manager.epoch = 0n;
    assert.equal(reason(await watch(manager.watch(initial))), "fenced");
    await assertNothing(initial);
  });

  it("reads the blocks since the node's best block for a channel that starts below the tip", async () => {
    const block = world.chain.tipBlock.header;
    const plan = createChannel({ ...testChannelOptions, curve: world.curve });
    const funding = fundingTx(plan.fundingScriptPubkey, plan.setup.capacitySat);
    await world.mine(funding.raw);
    await world.mineEmpty(2);
    const channel = plan.open(funding.outpoint);
    const { height, hash } = block;
    const initial = channel.initialState("holder", { bestBlock: { height, hash } });
    assert.equal(reason(await watch(world.manager.watch(initial))), "ok");
    const view = world.host.channel(world.manager.who, channel.channelId);
    assert.ok(view.ok);
    assert.equal(view.value.state.fundingConfirmedAt, height + 1);
    assert.equal(view.value.state.best.height, height + 3);
    const elsewhere = { height, hash: blockHash("ab".repeat(32)) };
    const lost = channel.initialState("holder", { bestBlock: elsewhere });
    await world.end();
    world = await World.start();
    assert.equal(reason(await watch(world.manager.watch(lost))), "chainBehind");
  });

  it("takes no more than MAX_CHANNELS_PER_MANAGER channels of one manager", async () => {
    const original = Monitors.prototype.countOf;
    try {
      Monitors.prototype.countOf = () => MAX_CHANNELS_PER_MANAGER;
      const initial = fresh().initialState("holder");
      assert.equal(reason(await watch(world.manager.watch(initial))), "tooManyChannels");
      Monitors.prototype.countOf = () => MAX_CHANNELS_PER_MANAGER - 1;
      assert.equal(reason(await watch(world.manager.watch(initial))), "ok");
    } finally {
      Monitors.prototype.countOf = original;
    }
  });
});
