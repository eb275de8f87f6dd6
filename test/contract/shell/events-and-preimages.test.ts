/**
 * Events leave in order and are acked by id and hash; preimages are kept in every state and relayed to
 * the inbound channel in the same transaction (contract 2.1, 2.7a, 2.9).
 */
import assert from "node:assert/strict";
import { must } from "@farwatch/protocol/assert";
import { msat } from "@farwatch/protocol/amount";
import { blockHeight } from "@farwatch/protocol/block";
import { toHex } from "@farwatch/protocol/bytes";
import { checkPreimageReceipt, openEvent } from "@farwatch/protocol/envelope/open-monitor-message";
import { hashPreimageRecord } from "@farwatch/protocol/envelope/preimage-record";
import type { SealedMonitorEvent } from "@farwatch/protocol/event";
import {
  channelId,
  eventId,
  hash32,
  preimage,
  storeId,
  type ChannelId,
  type Hash32,
} from "@farwatch/protocol/ids";
import type { Refusal } from "@farwatch/protocol/reasons";
import type { EventSubscriber } from "@farwatch/monitor-service/runtime/monitor-host";
import type { Channel } from "../../harness/channel/channel.js";
import { forwardSource } from "../../harness/channel/sources.js";
import { offer, secretNamed } from "../../harness/channel/test-channel.js";
import { TestManager } from "./test-manager.js";
import { World } from "./world.js";

class Reader implements EventSubscriber {
  readonly events: SealedMonitorEvent[] = [];
  replayed: number | undefined;
  ended: Refusal | undefined;
  async event(event: SealedMonitorEvent): Promise<void> {
    this.events.push(event);
  }
  async endOfReplay(replayed: number): Promise<void> {
    this.replayed = replayed;
  }
  async bump(): Promise<void> {
    assert.fail("no wallet of a manager is asked");
  }
  end(refusal: Refusal | undefined): void {
    this.ended = refusal;
  }
}
const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe("events and preimages", function () {
  this.timeout(60_000);
  let world: World;
  beforeEach(async () => (world = await World.start()));
  afterEach(() => world.end());

  /** Two channels and an HTLC forwarded from the first to the second, settled on both. */
  async function forward(): Promise<{ inbound: Channel; outbound: Channel; reader: Reader }> {
    const reader = new Reader();
    const subscribed = world.host.subscribe(world.manager.who, 1n, reader);
    assert.ok(subscribed.ok);
    const [inbound, outbound] = [await world.open(), await world.open()];
    const received = offer(inbound, "counterparty", 60_000, "secret");
    await inbound.settle();
    const sent = outbound.addHtlc("holder", {
      amountMsat: msat(59_000_000),
      paymentHash: secretNamed("secret").paymentHash,
      cltvExpiry: blockHeight(550),
      source: forwardSource({
        channelId: inbound.channelId,
        htlcId: received.id,
        amountMsat: received.amountMsat,
        cltvExpiry: received.cltvExpiry,
        userChannelId: undefined,
      }),
    });
    await outbound.settle();
    await outbound.fulfillHtlc(sent, secretNamed("secret").preimage);
    await outbound.settle();
    await settle();
    return { inbound, outbound, reader };
  }

  const knows = (channel: Channel, name: string): boolean => {
    const view = world.host.channel(world.manager.who, channel.channelId);
    return view.ok && view.value.state.preimages.has(secretNamed(name).paymentHash);
  };

  it("tells a claim live, signed and chained, and relays its preimage to the inbound channel", async () => {
    const { inbound, reader } = await forward();
    assert.equal(reader.replayed, 0);
    const [event] = reader.events;
    assert.ok(event !== undefined && openEvent(world.curve, world.host.info(), event).ok);
    assert.ok(knows(inbound, "secret"));
    const log = await world.store.readLog(0, 1000);
    const relay = must(
      log.find(({ kind }) => kind === "preimages"),
      "a relay row",
    );
    assert.deepEqual(relay.payload, Uint8Array.from(secretNamed("secret").preimage));
    const before = world.stateOf(inbound.channelId);
    await world.restart();
    assert.deepEqual(world.stateOf(inbound.channelId), before);
  });

  it("replays what is not acked after a restart, byte for byte, and goes on with the chain", async () => {
    const { outbound, reader } = await forward();
    await world.restart();
    await world.openSession();
    const next = new Reader();
    world.host.subscribe(world.manager.who, 1n, next);
    await settle();
    assert.deepEqual(next.events, reader.events);
    assert.equal(next.replayed, reader.events.length);
    await world.host.ackEvents(
      world.manager.who,
      world.manager.acks(world.host.info(), ...next.events),
    );
    await world.restart();
    await world.openSession();
    const request = {
      channelId: outbound.channelId,
      reason: "test",
      overrideStale: false,
      epoch: 1n,
    };
    const txid = await world.host.broadcastHolder(world.manager.who, request);
    assert.ok(txid.ok);
    const [closed] = world.host.pendingEvents(world.manager.who, outbound.channelId);
    assert.ok(closed !== undefined && closed.eventId === 2n);
    const header = openEvent(world.curve, world.host.info(), closed);
    assert.ok(header.ok);
    assert.equal(header.value.header.prevEventHash, must(reader.events[0], "event 1").eventHash);
  });

  it("replays by channel id and event id, whatever came first (G21)", async () => {
    const ids: ChannelId[] = [];
    for (const number of [90, 30, 60]) {
      const { channelId } = await world.open({}, world.manager, number);
      ids.push(channelId);
      const request = { channelId, reason: "test", overrideStale: false, epoch: 1n };
      assert.ok((await world.host.broadcastHolder(world.manager.who, request)).ok);
    }
    const sorted = [...ids].sort();
    assert.notDeepEqual(ids, sorted);
    for (const _again of [1, 2]) {
      const reader = new Reader();
      world.host.subscribe(world.manager.who, 1n, reader);
      await settle();
      assert.deepEqual(
        reader.events.map((event) => event.channelId),
        sorted,
      );
      await world.restart();
      await world.openSession();
    }
  });

  it("acks by id and hash, durably, and tells repeated, unknown and wrong ones apart", async () => {
    const { outbound, reader } = await forward();
    const { manager, host } = world;
    const event = must(reader.events[0], "an event");
    const acks = manager.acks(
      host.info(),
      { ...event, eventHash: hash32("13".repeat(32)) },
      { ...event, eventId: eventId(99) },
      { ...event, channelId: channelId("77".repeat(32)) },
      event,
      event,
    );
    const result = await host.ackEvents(manager.who, acks);
    assert.deepEqual(result.ok && result.value, [
      "hashMismatch",
      "unknown",
      "unknown",
      "acked",
      "alreadyAcked",
    ]);
    assert.deepEqual((await world.store.load()).events, []);
    await world.restart();
    await world.openSession();
    assert.deepEqual(world.host.pendingEvents(manager.who, outbound.channelId), []);
    const again = await world.host.ackEvents(manager.who, manager.acks(world.host.info(), event));
    assert.deepEqual(again.ok && again.value, ["alreadyAcked"]);
  });

  it("deletes nothing on acks of an older epoch, another store or a stranger", async () => {
    const { reader } = await forward();
    const { manager, host } = world;
    const event = must(reader.events[0], "an event");
    const stale = manager.acks(host.info(), event);
    await host.openSession(manager.who, manager.session(host.info(), 2n));
    assert.equal(reader.ended?.reason, "fenced");
    const fenced = await host.ackEvents(manager.who, stale);
    assert.equal(!fenced.ok && fenced.error.reason, "fenced");
    manager.epoch = 2n;
    const elsewhere = { ...host.info(), storeId: storeId("ee".repeat(16)) };
    const other = await host.ackEvents(manager.who, manager.acks(elsewhere, event));
    assert.equal(!other.ok && other.error.reason, "otherStore");
    const stranger = new TestManager(world.curve, 8);
    await world.openSession(stranger);
    const foreign = await host.ackEvents(stranger.who, stranger.acks(host.info(), event));
    assert.deepEqual(foreign.ok && foreign.value, ["unknown"]);
    assert.equal((await world.store.load()).events.length, reader.events.length);
  });

  it("refuses a stream of an epoch that is not the current one", async () => {
    const { manager, host } = world;
    const refused = host.subscribe(manager.who, 2n, new Reader());
    assert.equal(!refused.ok && refused.error.reason, "sessionNotOpen");
    await host.openSession(manager.who, manager.session(host.info(), 2n));
    const fenced = host.subscribe(manager.who, 1n, new Reader());
    assert.equal(!fenced.ok && fenced.error.reason, "fenced");
  });

  it("stores preimage records once, each with its own answer, in every state of the channel", async () => {
    const { manager, host } = world;
    const [open, closed] = [await world.open(), await world.open()];
    await closed.forceClose("holder");
    const secret = secretNamed("record").preimage;
    const batch = manager.preimages(
      { channelId: open.channelId, preimage: secret },
      { channelId: closed.channelId, preimage: secret },
      { channelId: channelId("77".repeat(32)), preimage: secret },
    );
    const reasons = async (): Promise<readonly (string | undefined)[]> => {
      const result = await host.putPreimages(manager.who, batch);
      assert.ok(result.ok);
      return result.value.outcomes.map(({ refusal }) => refusal?.reason);
    };
    assert.deepEqual(await reasons(), [undefined, undefined, "channelUnknown"]);
    assert.ok(knows(open, "record") && knows(closed, "record"));
    const rows = await world.store.readLog(0, 1000);
    assert.deepEqual(await reasons(), [undefined, undefined, "channelUnknown"]);
    assert.deepEqual(await world.store.readLog(0, 1000), rows);
    await world.restart();
    assert.ok(knows(open, "record") && knows(closed, "record"));
  });

  it("signs a receipt for the records that are durable, again for repeated ones, and for no other", async () => {
    const { manager, host } = world;
    const channel = await world.open();
    const secret = secretNamed("record").preimage;
    const good = { channelId: channel.channelId, preimage: secret };
    const bad = { channelId: channelId("77".repeat(32)), preimage: secret };
    const put = async (...records: readonly (typeof good)[]) => {
      const batch = manager.preimages(...records);
      const hashes = batch.records.map(({ header }) => hashPreimageRecord(header));
      const answer = await host.putPreimages(manager.who, batch);
      assert.ok(answer.ok);
      return { hashes, receipt: answer.value.receipt };
    };
    for (let i = 0; i < 2; i++) {
      const { hashes, receipt } = await put(bad, good);
      const signed = must(receipt, "a receipt");
      const own = host.info();
      const refused = (of: readonly Hash32[]) =>
        checkPreimageReceipt(world.curve, own, signed, of)?.reason;
      assert.equal(refused(hashes.slice(1)), undefined);
      assert.equal(refused(hashes), "malformed");
    }
    assert.equal((await put(bad)).receipt, undefined);
  });

  it("refuses a preimage of the wrong length or hash without touching the others", async () => {
    const { manager, host } = world;
    const channel = await world.open();
    const batch = manager.preimages(
      { channelId: channel.channelId, preimage: secretNamed("a").preimage },
      { channelId: channel.channelId, preimage: secretNamed("b").preimage },
      { channelId: channel.channelId, preimage: secretNamed("c").preimage },
    );
    const [a, b, c] = batch.records.map((record) => record);
    const wrong = { ...must(b, "b"), preimage: preimage(new Uint8Array(32).fill(1)) };
    const short = { ...must(a, "a"), preimage: new Uint8Array(31) };
    const sent = { ...batch, records: [short, wrong, must(c, "c")] };
    const result = await host.putPreimages(manager.who, sent);
    assert.ok(result.ok);
    assert.deepEqual(
      result.value.outcomes.map(({ refusal }) => refusal?.reason),
      ["wrongLength", "preimageMismatch", undefined],
    );
    assert.ok(!knows(channel, "a") && !knows(channel, "b") && knows(channel, "c"));
  });

  it("stores no preimage of an epoch that is over (D14)", async () => {
    const { manager, host } = world;
    const channel = await world.open();
    const { preimage: secret } = secretNamed("record");
    const stale = manager.preimages({ channelId: channel.channelId, preimage: secret });
    await host.openSession(manager.who, manager.session(host.info(), 2n));
    const rows = await world.rows();
    const fenced = await host.putPreimages(manager.who, stale);
    assert.equal(!fenced.ok && fenced.error.reason, "fenced");
    assert.deepEqual([knows(channel, "record"), await world.rows()], [false, rows]);
  });

  it("writes no preimage into a log line", async () => {
    await forward();
    const text = JSON.stringify(world.lines);
    assert.ok(!text.includes(toHex(secretNamed("secret").preimage)));
  });

  it("broadcasts for admins only, and not a channel whose state may be old", async () => {
    const { manager, host } = world;
    const channel = await world.open();
    const request = {
      channelId: channel.channelId,
      reason: "test",
      overrideStale: false,
      epoch: 1n,
    };
    const plain = await host.broadcastHolder({ ...manager.who, admin: false }, request);
    assert.equal(!plain.ok && plain.error.reason, "notYourChannel");
    const long = await host.broadcastHolder(manager.who, { ...request, reason: "x".repeat(257) });
    assert.equal(!long.ok && long.error.reason, "tooLarge");
    await channel.forceClose("holder", false);
    const stale = await host.broadcastHolder(manager.who, request);
    assert.equal(!stale.ok && stale.error.reason, "staleSuspected");
    const forced = await host.broadcastHolder(manager.who, {
      ...request,
      overrideStale: true,
      reason: "x".repeat(256),
    });
    assert.ok(forced.ok);
    assert.equal(forced.value, channel.commitment("holder").built.txid);
    await world.running.published();
    assert.equal(world.chain.broadcasts.length, 1);
  });

  it("broadcasts for the manager's current session only", async () => {
    const { manager, host } = world;
    const channel = await world.open();
    const request = { channelId: channel.channelId, reason: "test", overrideStale: false };
    const reasonAt = async (epoch: bigint): Promise<string> => {
      const answer = await host.broadcastHolder(manager.who, { ...request, epoch });
      return answer.ok ? "ok" : answer.error.reason;
    };
    await host.openSession(manager.who, manager.session(host.info(), 2n));
    assert.deepEqual(
      [await reasonAt(0n), await reasonAt(1n), await reasonAt(3n)],
      ["fenced", "fenced", "sessionNotOpen"],
    );
    await world.running.published();
    assert.deepEqual(world.chain.broadcasts, []);
    assert.deepEqual(host.pendingEvents(manager.who, undefined), []);
    assert.equal(await reasonAt(2n), "ok");
  });
});
