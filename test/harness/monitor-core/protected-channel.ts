/**
 * One channel of the test engine under the protection of the monitor core, on a chain in memory. Plays
 * the shell: hands inputs on, keeps events and the update log, signs and publishes. After every step it
 * checks what must always hold: state survives its codec, event ids are gapless, outcomes are told once.
 */
import assert from "node:assert/strict";
import { feeratePerKw } from "@farwatch/protocol/amount";
import { must } from "@farwatch/protocol/assert";
import { blockHash, blockHeight, type BlockPoint } from "@farwatch/protocol/block";
import type { ConstantsProfile, CounterpartyCommitment } from "@farwatch/protocol/channel";
import { selectCurve } from "@farwatch/protocol/curve/select-curve";
import type { NewMonitorEvent } from "@farwatch/protocol/event";
import { hash32, updateId, type Preimage, type SourceKey, type Txid } from "@farwatch/protocol/ids";
import type { Reason } from "@farwatch/protocol/reasons";
import type { UpdateStep } from "@farwatch/protocol/update";
import { decodeState, encodeState } from "@farwatch/monitor-service/monitor/codec";
import type { MonitorContext } from "@farwatch/monitor-service/monitor/context";
import { createMonitor } from "@farwatch/monitor-service/monitor/create";
import type {
  PreimageRelay,
  PublishRole,
  Transition,
} from "@farwatch/monitor-service/monitor/effect";
import type {
  Feerates,
  MonitorInput,
  ReceivedUpdate,
} from "@farwatch/monitor-service/monitor/input";
import { outstanding, watched } from "@farwatch/monitor-service/monitor/outstanding";
import type { MonitorState } from "@farwatch/monitor-service/monitor/state";
import { step } from "@farwatch/monitor-service/monitor/step";
import { MemoryFloors } from "@farwatch/monitor-service/signer/holder-floors";
import type { ChannelSigner } from "@farwatch/monitor-service/signer/signer";
import { counterpartyCommitmentsIn } from "@farwatch/monitor-service/runtime/stored-commitments";
import { parseTx } from "@farwatch/monitor-service/tx/parsed-tx";
import { createChannel, type Channel, type ChannelOptions } from "../channel/channel.js";
import { broadcastableCommitment } from "../channel/broadcast.js";
import { seedSigner } from "../channel/seed-signer.js";
import { DEFAULT_SEEDS, type Side } from "../channel/setup.js";
import { NOWHERE, testChannelOptions } from "../channel/test-channel.js";
import { assertEventsSound } from "./event-rules.js";
import { handFunding } from "./hand-funding.js";
import { matching, SimChain, type SimBlock } from "./sim-chain.js";

export const BASE: BlockPoint = { height: blockHeight(500), hash: blockHash("0b".repeat(32)) };
/** Once: the choice runs a self-test. */
const selected = selectCurve("auto");
const ANY_HASH = hash32("cc".repeat(32));

export const feerates = (urgent: number): Feerates => ({
  urgent: feeratePerKw(urgent),
  normal: feeratePerKw(urgent),
});

/** A transaction of ours, signed. */
export interface Published {
  readonly role: PublishRole;
  readonly txid: Txid;
  readonly raw: Uint8Array;
}

export interface ProtectedOptions extends Partial<ChannelOptions> {
  readonly profile?: ConstantsProfile;
  /** The funding is not there yet: it is `handFunding` of the channel's setup. */
  readonly byHand?: boolean;
}

export class ProtectedChannel {
  readonly events: NewMonitorEvent[] = [];
  readonly relays: PreimageRelay[] = [];
  /** Every update taken, as the log keeps it. */
  readonly updates: (readonly UpdateStep[])[] = [];
  feerates = feerates(500);
  /** Set to keep updates back: they are told to the monitor later. */
  held: (readonly UpdateStep[])[] | undefined;
  readonly #log = new Map<Txid, CounterpartyCommitment>();
  /** As the shell keeps them: what was once told durable is never forgotten. */
  readonly floors = new MemoryFloors();
  readonly #signer: ChannelSigner;
  readonly #signed = new Set<Txid>();

  constructor(
    readonly ctx: MonitorContext,
    readonly channel: Channel,
    readonly chain: SimChain,
    readonly initial: MonitorState,
    public state: MonitorState = initial,
  ) {
    this.#signer = seedSigner(ctx.curve, DEFAULT_SEEDS.holder, this.floors);
    this.#raiseFloor();
    this.#log.set(state.counterparty.txid, state.counterparty);
  }

  // ---- inputs ----

  /** Does a step that must succeed, and checks what must hold after each. */
  apply(input: MonitorInput): Transition {
    const before = encodeState(this.state);
    const done = step(this.ctx, this.state, input);
    assert.deepEqual(encodeState(this.state), before, "a step never changes its argument");
    assert.ok(done.ok, `refused: ${done.ok ? "" : done.error.message}`);
    this.state = done.value.state;
    this.#raiseFloor();
    this.events.push(...done.value.events);
    this.relays.push(...done.value.relays);
    assert.deepStrictEqual(decodeState(encodeState(this.state)), this.state);
    assertEventsSound(this.events, this.state);
    return done.value;
  }

  #raiseFloor(): void {
    const { parameters, holderFloor: number } = this.state;
    void this.floors.raise([{ channelId: parameters.channelId, number }]);
  }

  /** Does a step that must be refused and leave everything as it was. */
  refused(input: MonitorInput): Reason {
    const before = encodeState(this.state);
    const done = step(this.ctx, this.state, input);
    assert.ok(!done.ok, "this input must be refused");
    assert.deepEqual(encodeState(this.state), before);
    return done.error.reason;
  }

  updateInput(steps: readonly UpdateStep[]): ReceivedUpdate {
    return {
      kind: "updateReceived",
      updateId: updateId(this.state.latestUpdateId + 1n),
      updateHash: ANY_HASH,
      steps,
      verifySignatures: true,
    };
  }

  update(steps: readonly UpdateStep[]): Transition {
    const done = this.apply(this.updateInput(steps));
    this.updates.push(steps);
    for (const item of steps) {
      for (const commitment of counterpartyCommitmentsIn(item)) {
        this.#log.set(commitment.txid, commitment);
      }
    }
    return done;
  }

  /** Tells the updates kept back so far. */
  release(): void {
    const held = this.held ?? [];
    this.held = undefined;
    for (const steps of held) this.update(steps);
  }

  learn(preimage: Preimage, sourceKey: SourceKey): Transition {
    return this.apply({ kind: "preimagesLearned", preimages: [{ preimage, sourceKey }] });
  }

  /** Confirms transactions in one block and tells the monitor. */
  mine(...raws: readonly Uint8Array[]): Transition {
    return this.apply(this.blockInput(this.chain.mine(raws), this.state));
  }

  /** What the shell would tell a monitor in this state about the block. */
  blockInput(block: SimBlock, state: MonitorState): MonitorInput {
    const transactions = matching(block, watched(state));
    const storedCommitments = new Map(
      transactions.flatMap(({ txid }) => {
        const known = this.#log.get(txid);
        return known === undefined ? [] : [[txid, known] as const];
      }),
    );
    const { feerates: current } = this;
    return {
      kind: "blockConnected",
      block: block.point,
      transactions,
      storedCommitments,
      feerates: current,
    };
  }

  mineEmpty(count: number): void {
    for (let i = 0; i < count; i++) this.mine();
  }

  mineTo(height: number): void {
    while (this.chain.tip.height < height) this.mine();
  }

  disconnect(count: number): Transition {
    return this.apply({ kind: "blocksDisconnected", forkPoint: this.chain.disconnect(count) });
  }

  // ---- what we publish ----

  published(role?: PublishRole): readonly Published[] {
    return outstanding(this.ctx, this.state)
      .filter((publish) => role === undefined || publish.role === role)
      .map((publish) => {
        const { channelKeysId } = this.state.parameters;
        const raw = publish.finish(this.#signer.sign(channelKeysId, publish.tasks));
        const parsed = parseTx(raw);
        assert.equal(parsed.txid, publish.txid);
        assert.deepEqual(
          parsed.inputs.map(({ outpoint }) => outpoint),
          publish.spends,
        );
        this.#signed.add(publish.txid);
        return { role: publish.role, txid: publish.txid, raw };
      });
  }

  /** Transactions of ours seen so far: signed at some time, whether they confirmed or not. */
  get signed(): ReadonlySet<Txid> {
    return this.#signed;
  }

  /** Confirms everything we publish; all of it must be good for the next block. */
  minePublished(role?: PublishRole): readonly Published[] {
    const all = this.published(role);
    this.mine(...all.map(({ raw }) => raw));
    return all;
  }

  commitmentOf(side: Side, at?: number): Uint8Array {
    return broadcastableCommitment(this.channel, side, at);
  }

  /** As a restart does: the state goes through its stored form. */
  reload(): void {
    this.state = decodeState(encodeState(this.state));
  }

  /** As if the update log had lost its rows. */
  forgetLog(): void {
    this.#log.clear();
  }

  /** What we publish, in its order, would be taken into the next block. */
  assertPublishable(): void {
    const published = this.published();
    const found = this.chain.hindrances(published.map(({ raw }) => raw));
    for (const [index, reason] of found.entries()) {
      assert.equal(reason, undefined, published[index]?.role);
    }
  }

  get height(): number {
    return this.chain.tip.height;
  }
}

/** A channel whose updates reach the monitor core at once. */
export async function protectedChannel(options: ProtectedOptions = {}): Promise<ProtectedChannel> {
  const { curve } = await selected;
  const { profile, byHand = false, ...rest } = options;
  const made: { monitor?: ProtectedChannel } = {};
  const plan = createChannel({
    ...testChannelOptions,
    curve,
    ...rest,
    onUpdate: (steps) => {
      const monitor = must(made.monitor, "the monitor exists before the first update");
      if (monitor.held === undefined) monitor.update(steps);
      else monitor.held.push(steps);
    },
  });
  const prevout = { script: plan.fundingScriptPubkey, value: plan.setup.capacitySat };
  const there = { outpoint: NOWHERE, coin: { outpoint: NOWHERE, prevout } };
  const { outpoint, coin } = byHand ? handFunding(plan) : there;
  const channel = plan.open(outpoint);
  const initial = channel.initialState("holder", {
    bestBlock: BASE,
    manualBroadcast: byHand,
    ...(profile === undefined ? {} : { constantsProfile: profile }),
  });
  const created = createMonitor({ curve }, initial, {
    updateId: updateId(0n),
    updateHash: ANY_HASH,
    best: BASE,
  });
  assert.ok(created.ok, "the first state is accepted");
  const chain = new SimChain(BASE, coin);
  made.monitor = new ProtectedChannel({ curve }, channel, chain, created.value);
  return made.monitor;
}
