import assert from "node:assert/strict";
import type { BumpItem } from "@farwatch/protocol/bump";
import type { SealedMonitorEvent } from "@farwatch/protocol/event";
import { feeratePerKw } from "@farwatch/protocol/amount";
import {
  channelId,
  hash32,
  managerKey,
  txid,
  type ChannelId,
  type EventId,
  type ManagerKey,
} from "@farwatch/protocol/ids";
import type { Refusal } from "@farwatch/protocol/reasons";
import { eventRow } from "../store/testing/rows.js";
import type { EventSubscriber } from "../runtime/monitor-host.js";
import { EventFeed, type BumpOutbox, type Outbox } from "./event-feed.js";

const MANAGER = managerKey("aa".repeat(32));
const OTHER = managerKey("bb".repeat(32));
const channel = (number: number): ChannelId => channelId(number.toString(16).padStart(64, "0"));

/** An outbox as plain data: channel -> committed, un-acked events. */
class TestOutbox implements Outbox {
  readonly events = new Map<ChannelId, SealedMonitorEvent[]>();
  commit(number: number, id: number): void {
    const list = this.events.get(channel(number)) ?? [];
    list.push({ ...eventRow(1, number, BigInt(id)).event });
    this.events.set(channel(number), list);
  }
  ack(number: number, id: number): void {
    const list = this.events.get(channel(number)) ?? [];
    this.events.set(
      channel(number),
      list.filter((event) => event.eventId !== BigInt(id)),
    );
  }
  channelsWithEvents(): readonly ChannelId[] {
    return [...this.events.keys()].sort();
  }
  committedEvents(id: ChannelId, after: EventId): readonly SealedMonitorEvent[] {
    return (this.events.get(id) ?? []).filter((event) => event.eventId > after);
  }
  isPending(id: ChannelId, wanted: EventId): boolean {
    return (this.events.get(id) ?? []).some((event) => event.eventId === wanted);
  }
}

/** Records what arrives as "channel/event"; holds each delivery while `gate` is set. */
class Reader implements EventSubscriber {
  readonly seen: string[] = [];
  ended: Refusal | "plain" | undefined;
  gate: Promise<void> = Promise.resolve();
  broken = false;
  async event(event: SealedMonitorEvent): Promise<void> {
    if (this.broken) throw new Error("connection reset");
    this.seen.push(`${Number(`0x${event.channelId}`)}/${event.eventId}`);
    await this.gate;
  }
  async endOfReplay(replayed: number): Promise<void> {
    this.seen.push(`end ${replayed}`);
  }
  async bump(item: BumpItem): Promise<void> {
    const what = "ended" in item ? "over" : String(item.request.targetFeerate);
    this.seen.push(`${Number(`0x${item.channelId}`)} wants ${what}`);
    await this.gate;
  }
  end(refusal: Refusal | undefined): void {
    assert.equal(this.ended, undefined, "ended once");
    this.ended = refusal ?? "plain";
  }
}

/** Requests as a test puts them up, by channel. */
class Board implements BumpOutbox {
  readonly items = new Map<ChannelId, readonly BumpItem[]>();

  channelsWithBumps(manager: ManagerKey): readonly ChannelId[] {
    return manager === MANAGER ? [...this.items.keys()] : [];
  }
  bumpsOf(of: ChannelId): readonly BumpItem[] {
    return this.items.get(of) ?? [];
  }
}

/** A claim of that channel and name, at that feerate. */
const request = (number: number, claim: string, rate: number): BumpItem => ({
  channelId: channel(number),
  request: {
    claimId: hash32(claim.repeat(32)),
    targetFeerate: feeratePerKw(rate),
    of: {
      kind: "htlcs",
      commitmentTxid: txid("00".repeat(32)),
      locktime: 0,
      version: 2,
      maxWeight: 1,
      htlcs: [],
    },
  },
});

const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe("event feed", () => {
  let outbox: TestOutbox;
  let feed: EventFeed;
  beforeEach(() => {
    outbox = new TestOutbox();
    feed = new EventFeed(outbox);
  });
  const commit = (number: number, id: number): void => {
    outbox.commit(number, id);
    feed.news(MANAGER, channel(number));
  };

  it("replays un-acked events by channel and id, marks the end, then goes on live", async () => {
    outbox.commit(2, 1);
    outbox.commit(1, 4);
    outbox.commit(2, 2);
    const reader = new Reader();
    feed.subscribe(MANAGER, 1n, reader);
    await settle();
    commit(3, 1);
    commit(1, 5);
    await settle();
    assert.deepEqual(reader.seen, ["1/4", "2/1", "2/2", "end 3", "3/1", "1/5"]);
  });

  it("marks the end of an empty replay", async () => {
    const reader = new Reader();
    feed.subscribe(MANAGER, 1n, reader);
    await settle();
    assert.deepEqual(reader.seen, ["end 0"]);
  });

  it("sends each event once and in order when commits happen during the replay", async () => {
    const reader = new Reader();
    let open: () => void = () => undefined;
    reader.gate = new Promise((resolve) => (open = resolve));
    outbox.commit(1, 1);
    outbox.commit(2, 1);
    feed.subscribe(MANAGER, 1n, reader);
    await settle();
    commit(1, 2);
    commit(2, 2);
    await settle();
    assert.deepEqual(reader.seen, ["1/1"], "waits for the reader");
    reader.gate = Promise.resolve();
    open();
    await settle();
    assert.deepEqual(
      reader.seen.filter((line) => !line.startsWith("end")),
      ["1/1", "2/1", "2/2", "1/2"],
    );
    const ofOne = reader.seen.filter((line) => line.startsWith("1/"));
    assert.deepEqual(ofOne, ["1/1", "1/2"]);
  });

  it("holds back while the reader is busy and skips what was acked meanwhile", async () => {
    const reader = new Reader();
    let open: () => void = () => undefined;
    reader.gate = new Promise((resolve) => (open = resolve));
    for (const id of [1, 2, 3]) outbox.commit(1, id);
    feed.subscribe(MANAGER, 1n, reader);
    await settle();
    outbox.ack(1, 2);
    open();
    await settle();
    assert.deepEqual(reader.seen, ["1/1", "1/3", "end 2"]);
  });

  it("gives the stream to the newest subscriber", async () => {
    const [first, second] = [new Reader(), new Reader()];
    feed.subscribe(MANAGER, 1n, first);
    await settle();
    feed.subscribe(MANAGER, 1n, second);
    commit(1, 1);
    await settle();
    assert.ok(typeof first.ended === "object" && first.ended.reason === "streamReplaced");
    assert.deepEqual(first.seen, ["end 0"]);
    assert.deepEqual(second.seen, ["1/1", "end 1"]);
  });

  it("ends a stream of an older epoch, not one of the current", async () => {
    const [old, current] = [new Reader(), new Reader()];
    feed.subscribe(MANAGER, 4n, old);
    feed.fence(MANAGER, 5n);
    assert.ok(typeof old.ended === "object" && old.ended.details["current_epoch"] === "5");
    feed.subscribe(MANAGER, 5n, current);
    feed.fence(MANAGER, 5n);
    assert.equal(current.ended, undefined);
  });

  it("sends nothing after a close, and keeps the closed stream from removing a newer one", async () => {
    const [first, second] = [new Reader(), new Reader()];
    const subscription = feed.subscribe(MANAGER, 1n, first);
    await settle();
    feed.subscribe(MANAGER, 1n, second);
    subscription.close();
    commit(1, 1);
    await settle();
    assert.deepEqual(second.seen, ["1/1", "end 1"]);
    assert.ok(!first.seen.includes("1/1"));
  });

  it("ends a stream whose reader fails; the next one starts over", async () => {
    const broken = new Reader();
    broken.broken = true;
    outbox.commit(1, 1);
    feed.subscribe(MANAGER, 1n, broken);
    await settle();
    assert.equal(broken.ended, "plain");
    const next = new Reader();
    feed.subscribe(MANAGER, 1n, next);
    await settle();
    assert.deepEqual(next.seen, ["1/1", "end 1"]);
  });

  it("keeps managers apart and ends all streams when it stops", async () => {
    const [mine, other] = [new Reader(), new Reader()];
    feed.subscribe(MANAGER, 1n, mine);
    feed.subscribe(OTHER, 1n, other);
    await settle();
    commit(1, 1);
    await settle();
    assert.deepEqual(other.seen, ["end 0"]);
    feed.stop();
    for (const reader of [mine, other]) {
      assert.ok(typeof reader.ended === "object" && reader.ended.reason === "stopping");
    }
  });

  it("sends bump requests at the end of the replay, again to a new stream, and only what changed", async () => {
    const outbox = new TestOutbox();
    const board = new Board();
    const feed = new EventFeed(outbox, board);
    outbox.commit(1, 1);
    board.items.set(channel(2), [request(2, "aa", 1_000)]);
    const reader = new Reader();
    feed.subscribe(MANAGER, 1n, reader);
    await settle();
    assert.deepEqual(reader.seen, ["1/1", "2 wants 1000", "end 1"]);
    const same = board.bumpsOf(channel(2));
    board.items.set(channel(2), [...same, request(2, "bb", 500)]);
    feed.news(MANAGER, channel(2));
    await settle();
    assert.deepEqual(reader.seen.slice(3), ["2 wants 500"]);
    board.items.set(channel(2), [request(2, "aa", 2_000)]);
    feed.news(MANAGER, channel(2));
    await settle();
    assert.deepEqual(reader.seen.slice(4), ["2 wants 2000", "2 wants over"]);
    board.items.delete(channel(2));
    feed.news(MANAGER, channel(2));
    feed.news(MANAGER, channel(2));
    await settle();
    assert.deepEqual(reader.seen.slice(6), ["2 wants over"]);
    board.items.set(channel(2), [request(2, "cc", 700)]);
    const next = new Reader();
    feed.subscribe(MANAGER, 1n, next);
    await settle();
    assert.deepEqual(next.seen, ["1/1", "2 wants 700", "end 1"]);
  });

  it("sends a slow reader the newest request only", async () => {
    const board = new Board();
    const feed = new EventFeed(new TestOutbox(), board);
    board.items.set(channel(2), [request(2, "aa", 1_000)]);
    const reader = new Reader();
    let open: () => void = () => undefined;
    reader.gate = new Promise((resolve) => (open = resolve));
    feed.subscribe(MANAGER, 1n, reader);
    await settle();
    for (const rate of [2_000, 3_000, 4_000]) {
      board.items.set(channel(2), [request(2, "aa", rate)]);
      feed.news(MANAGER, channel(2));
    }
    open();
    await settle();
    assert.deepEqual(reader.seen, ["2 wants 1000", "end 0", "2 wants 4000"]);
  });
});
