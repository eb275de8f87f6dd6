/**
 * Forwards in every order of events, receipts, stored preimages, answers, closes and restarts: a known
 * preimage is on record on every inbound channel; no FailInbound after ClaimInbound; PaymentForwarded and
 * HTLCHandlingFailed at most once, and true; an ack only of what is resolved; repeats change nothing; and
 * when everything is delivered and handled, no event is left un-acked.
 */
import assert from "node:assert/strict";
import fc from "fast-check";
import { must } from "@farwatch/protocol/assert";
import { hashOfPreimage, type ChannelId } from "@farwatch/protocol/ids";
import type { Decision, Effect } from "./effect.js";
import { rowKeys, type AckRow, type ForwardRow } from "./rows.js";
import { semanticKeys, type HtlcLocator } from "./user-event.js";
import { Hops, MONITORS } from "./testing/hops.js";
import {
  forwardKey,
  forwardOf,
  IN,
  IN2,
  incoming,
  keyOf,
  OUT,
  OUT2,
  paymentHashOf,
  trampolineOf,
  type Incoming,
  type Outgoing,
} from "./testing/htlcs.js";
import { ObedientNode } from "./testing/obedient-node.js";
import { fromUpdate, ON_CHAIN, receive } from "./testing/scene.js";

/** A few seconds; a fail whose answer is on its way when the claim comes wants more than a hundred. */
const RUNS = 1000;
/** What is left after the last round will never end. */
const MAX_ROUNDS = 6;

const plain = incoming(IN, 1);
const twin = incoming(IN, 2);
const first = incoming(IN, 3, 2);
const second = incoming(IN2, 1, 2);
const inbounds = [plain, twin, first, second];
const legs = [
  forwardOf(plain, OUT, 7),
  forwardOf(twin, OUT, 8),
  trampolineOf([first, second], OUT, 9, 2),
  trampolineOf([first, second], OUT2, 10, 2),
] as const;
/** Its inbound HTLCs, by the first. */
const forwards: readonly (readonly Incoming[])[] = [[plain], [twin], [first, second]];

/** What a run is about: small enough that the rare orders come up. */
interface Focus {
  readonly inbounds: readonly Incoming[];
  readonly legs: readonly Outgoing[];
  readonly channels: readonly ChannelId[];
}
const [plainLeg, twinLeg, firstLeg, secondLeg] = legs;
const FOCI: readonly Focus[] = [
  { inbounds: [plain], legs: [plainLeg], channels: [IN, OUT] },
  { inbounds: [plain, twin], legs: [plainLeg, twinLeg], channels: [IN, OUT] },
  { inbounds: [first, second], legs: [firstLeg, secondLeg], channels: [IN, IN2, OUT] },
];

const kind = <K extends string>(name: K) => fc.constant(name);
const monitor = fc.constantFrom(...MONITORS);
function actionOf({ inbounds: ins, legs: outs, channels }: Focus) {
  const leg = fc.constantFrom(...outs);
  const htlc = fc.constantFrom(...ins);
  const channel = fc.constantFrom(...channels);
  const secret = fc.constantFrom(...ins.map((each) => each.secret));
  const often = <T>(arbitrary: fc.Arbitrary<T>) => ({ arbitrary, weight: 4 });
  const seldom = <T>(arbitrary: fc.Arbitrary<T>) => ({ arbitrary, weight: 1 });
  return fc.oneof(
    often(fc.record({ kind: kind("claim"), monitor, leg })),
    often(fc.record({ kind: kind("fail"), monitor, leg, onChain: fc.boolean() })),
    often(fc.record({ kind: kind("receipt"), monitor, channel })),
    often(fc.record({ kind: kind("stored"), monitor, channel, secret })),
    often(fc.record({ kind: kind("obey"), htlc, peerIsThere: fc.boolean() })),
    often(fc.record({ kind: kind("report") })),
    often(fc.record({ kind: kind("finish"), htlc })),
    often(fc.record({ kind: kind("handle"), which: fc.nat(5) })),
    seldom(fc.record({ kind: kind("flush"), htlc })),
    seldom(fc.record({ kind: kind("fulfilled"), leg })),
    seldom(fc.record({ kind: kind("close"), monitor, channel })),
    seldom(fc.record({ kind: kind("newUpdate") })),
    seldom(fc.record({ kind: kind("restart") })),
    seldom(fc.record({ kind: kind("confirmAcks") })),
  );
}
const run = fc
  .constantFrom(...FOCI)
  .chain((focus) =>
    fc.tuple(
      fc.constant(focus),
      fc.constantFrom([], failedAndObeyed(focus)),
      fc.array(actionOf(focus), { maxLength: 30 }),
    ),
  );
/** The peer has the fail, and the manager does not know it yet: from here the races are near. */
const failedAndObeyed = ({ legs: outs, inbounds: ins }: Focus): readonly Action[] => [
  ...outs.map((leg) => ({ kind: "fail", monitor: MONITORS[0], leg, onChain: true }) as const),
  ...ins.map((htlc) => ({ kind: "obey", htlc, peerIsThere: true }) as const),
];
type Action = ReturnType<typeof actionOf> extends fc.Arbitrary<infer A> ? A : never;

/** No command. */
const isEvent = (label: string): boolean => !/^(claim|fail) /.test(label);
const inboundAt = (at: Pick<HtlcLocator, "channelId" | "htlcId">): Incoming =>
  must(
    inbounds.find(({ on, id }) => on === at.channelId && BigInt(id) === at.htlcId),
    "an inbound HTLC of this test",
  );

/** Inputs whose immediate repeat must change nothing. */
type Repeat = () => Decision;

class World {
  readonly hops = new Hops();
  readonly node = new ObedientNode(this.hops);
  /** Of every item that was ever delivered. */
  readonly told: string[] = [];
  #holderNumber = 0;

  constructor({ inbounds: ins, legs: outs }: Focus) {
    this.hops.add(...ins, ...outs);
  }

  perform(event: Action): void {
    const repeat = this.#perform(event);
    this.check();
    // A receipt is written again as it is.
    const changed = repeat?.().changes.filter(({ table }) => table !== "receipt");
    assert.deepEqual(changed ?? [], [], `${event.kind} again`);
    assert.deepEqual(this.hops.replay(), [], "every event that is not acked, again");
  }

  #perform(event: Action): Repeat | undefined {
    const { hops, node } = this;
    switch (event.kind) {
      case "claim":
        hops.claims(event.monitor, event.leg);
        return undefined;
      case "fail":
        this.#fail(event.monitor, event.leg, event.onChain);
        return undefined;
      case "fulfilled":
        assert.ok(hops.fulfilled(event.leg).ok);
        return undefined;
      case "receipt":
        hops.receipt(event.monitor, event.channel);
        return () => hops.receipt(event.monitor, event.channel);
      case "stored":
        hops.stored(event.monitor, event.channel, event.secret);
        return () => hops.stored(event.monitor, event.channel, event.secret);
      case "close":
        hops.closes(event.monitor, event.channel);
        return undefined;
      case "newUpdate":
        this.#holderNumber += 1;
        hops.offer(OUT, receive(this.#holderNumber));
        return undefined;
      case "handle":
        this.#handle(event.which);
        return undefined;
      case "confirmAcks":
        hops.ackEverything();
        return undefined;
      case "obey":
        node.obey(event.htlc, event.peerIsThere);
        return undefined;
      case "report":
        node.report();
        return undefined;
      case "flush":
        node.flush(event.htlc);
        return undefined;
      case "finish":
        node.finish(event.htlc);
        return undefined;
      case "restart":
        node.restart();
        return undefined;
    }
  }
  #fail(by: (typeof MONITORS)[number], of: Outgoing, onChain: boolean): void {
    const { acceptedId } = this.hops.channel(of.on);
    this.hops.fails(by, of, onChain ? ON_CHAIN : fromUpdate(Number(acceptedId)));
  }
  #handle(which: number): void {
    const events = this.hops.open.filter(isEvent);
    const label = events[which % Math.max(1, events.length)];
    if (label !== undefined) this.hops.handle(label);
  }

  /** Everything that is true after every input. */
  check(): void {
    for (const effect of this.hops.effects) {
      this.#checkDelivery(effect);
      if (effect.kind === "sendAck") this.#checkAck(effect.ack);
    }
    for (const row of this.hops.tables.forward.values()) this.#checkForward(row);
  }

  #checkDelivery(effect: Effect): void {
    if (effect.kind !== "deliver") return;
    const { semanticKey, event } = effect.item;
    if (event.kind === "failInbound") {
      const claim = semanticKey.replace("fail-inbound", "claim-inbound");
      assert.ok(!this.told.includes(claim), "FailInbound after ClaimInbound");
    }
    if (event.kind === "claimInbound") assert.ok(this.#isKept(inboundAt(event)));
    for (const prev of event.kind === "paymentForwarded" ? event.prev : []) {
      const htlc = inboundAt(prev);
      assert.ok(this.node.endOf(htlc) === "claim" || this.#isKept(htlc), "forwarded too early");
    }
    if (event.kind === "paymentForwarded" || event.kind === "htlcHandlingFailed") {
      assert.ok(!this.told.includes(semanticKey), "told twice");
    }
    this.told.push(semanticKey);
  }

  #checkForward({ forwardKey: key, state, preimage, inbound }: ForwardRow): void {
    if (state !== "claimed") return;
    assert.ok(preimage);
    const paymentHash = hashOfPreimage(preimage);
    for (const { channelId } of inbound) {
      const record = this.hops.tables.preimage.get(rowKeys.preimage({ channelId, paymentHash }));
      assert.deepEqual(record?.preimage, preimage, "on record on every inbound channel");
    }
    const [told] = this.hops.tables.item.select("semantic", semanticKeys.forwarded(key));
    if (told?.event.kind !== "paymentForwarded") return;
    for (const prev of told.event.prev) {
      assert.ok(!this.#isLost(inboundAt(prev)), "what was failed is not forwarded");
    }
  }

  /** By what really happened, not by the rows that decide it. */
  #checkAck(ack: AckRow): void {
    const row = this.hops.tables.inbox.get(rowKeys.inbox(ack));
    if (row?.body.kind !== "htlcEvent") return;
    const { sourceKey } = row.body.source;
    const named = legs.findIndex(({ source }) => source.sourceKey === sourceKey);
    const ins = forwards[Math.min(named, 2)] ?? [];
    const { item, forward } = this.hops.tables;
    const key = ins[0] === undefined ? "" : forwardKey(ins[0]);
    const claimed = forward.get(key)?.state === "claimed";
    for (const each of ins) {
      const lost = semanticKeys.forwardLost(keyOf(each));
      const wanted = [
        ...(this.#isLost(each) ? [] : [semanticKeys.forwarded(key)]),
        ...(this.node.endOf(each) === "fail" ? [lost] : []),
      ];
      assert.ok(this.#isSafe(each, claimed), `${each.id} is carried out for good`);
      const told = wanted.flatMap((name) => item.select("semantic", name));
      if (claimed)
        assert.ok(
          told.some(({ handled }) => handled),
          wanted.join(" or "),
        );
    }
  }
  /**
   * The peer had the fail, and the manager can know: a channel that closes before the node said which answer
   * it had sent leaves that open, and the preimage with the monitors counts.
   */
  #isLost(of: Incoming): boolean {
    const canKnow = this.node.isOpen(of) || this.hops.inbound(of).failSent;
    return this.node.endOf(of) === "fail" && canKnow;
  }
  #isSafe(of: Incoming, claimed: boolean): boolean {
    const { tables } = this.hops;
    const { acceptedId, requiredMonitors } = this.hops.channel(of.on);
    const removal = tables.inbound.get(keyOf(of))?.removedBy ?? acceptedId + 1n;
    const isDurable = requiredMonitors.every(
      (by) => (tables.receipt.get(rowKeys.receipt(by, of.on))?.updateId ?? -1n) >= removal,
    );
    if (this.node.endOf(of) !== undefined && isDurable) return true;
    if (this.node.isOpen(of)) return false;
    return !claimed || this.#isKept(of);
  }
  /** Every required monitor said that it has the preimage. */
  #isKept({ on, secret }: Incoming): boolean {
    const key = rowKeys.preimage({ channelId: on, paymentHash: paymentHashOf({ secret }) });
    return this.hops.tables.preimage.get(key)?.durableOn.length === MONITORS.length;
  }

  /** Everything is delivered, stored, carried out and handled. */
  finish({ legs: reported, inbounds: ins, channels }: Focus): void {
    for (const each of reported) this.#resolve(each);
    for (let round = 0; round < MAX_ROUNDS && !this.isDone; round++) {
      for (const on of channels) this.#storeAll(on);
      for (const each of ins) {
        this.perform({ kind: "obey", htlc: each, peerIsThere: true });
        this.perform({ kind: "report" });
        this.perform({ kind: "flush", htlc: each });
        this.perform({ kind: "finish", htlc: each });
      }
      while (this.hops.open.some(isEvent)) this.perform({ kind: "handle", which: 0 });
      this.perform({ kind: "restart" });
    }
    assert.deepEqual(this.hops.open, []);
    this.hops.ackEverything();
    assert.deepEqual([...this.hops.tables.inbox.values()], [], "no event is left un-acked");
    assert.deepEqual(this.hops.redeliver(), [], "what returns after its ack tells nothing");
    this.hops.ackEverything();
    assert.deepEqual([...this.hops.tables.inbox.values()], [], "and is acked again");
  }
  get isDone(): boolean {
    const { ack, inbox } = this.hops.tables;
    return this.hops.open.length === 0 && ack.size === inbox.size;
  }
  #storeAll(on: ChannelId): void {
    for (const by of MONITORS) {
      this.perform({ kind: "receipt", monitor: by, channel: on });
      for (const secret of [1, 2]) {
        this.perform({ kind: "stored", monitor: by, channel: on, secret });
      }
    }
  }
  /** Each monitor reports every leg: as claimed where its preimage is known. */
  #resolve(of: Outgoing): void {
    const isClaimed = this.hops.tables.leg.get(of.source.sourceKey)?.state === "claimed";
    for (const by of MONITORS) {
      if (isClaimed) this.perform({ kind: "claim", monitor: by, leg: of });
      else this.perform({ kind: "fail", monitor: by, leg: of, onChain: true });
    }
  }
}

describe("outcomes of forwards", () => {
  it("are safe, true and told once in every order, and end with every event acked", () => {
    fc.assert(
      fc.property(run, ([focus, before, actions]) => {
        const world = new World(focus);
        for (const event of [...before, ...actions]) world.perform(event);
        world.finish(focus);
      }),
      { numRuns: RUNS },
    );
  });
});
