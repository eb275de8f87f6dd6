/**
 * A store that was restored from a backup is older than what this monitor once told durable: its newest
 * commitment may be revoked. The floor file outlives the store, so it is noticed at start and when a
 * channel is watched anew; nothing else of the channel stops (onchain-engine 17).
 */
import assert from "node:assert/strict";
import { must } from "@farwatch/protocol/assert";
import { commitmentNumber, type ChannelId } from "@farwatch/protocol/ids";
import { MemoryFloors, type HolderFloor } from "@farwatch/monitor-service/signer/holder-floors";
import { offer } from "../../harness/channel/test-channel.js";
import { World } from "./world.js";

/** Says at every raise what the store and the caller know by then. */
class WatchedFloors extends MemoryFloors {
  onRaise: (floors: readonly HolderFloor[]) => Promise<void> = () => Promise.resolve();

  override async raise(floors: readonly HolderFloor[]): Promise<void> {
    await this.onRaise(floors);
    await super.raise(floors);
  }
}

describe("holder floors", function () {
  this.timeout(60_000);
  let world: World;
  let floors: WatchedFloors;
  beforeEach(async () => {
    floors = new WatchedFloors();
    world = await World.start({ floors });
  });
  afterEach(() => world.end());

  const broadcast = (channelId: ChannelId, overrideStale = true) =>
    world.host.broadcastHolder(world.manager.who, {
      channelId,
      reason: "test",
      overrideStale,
      epoch: world.manager.epoch,
    });
  const holderOf = (channelId: ChannelId) => {
    const view = world.host.channel(world.manager.who, channelId);
    assert.ok(view.ok);
    return view.value.state;
  };
  const alarms = () => world.lines.filter(({ level }) => level === "error");

  it("are durable after the store's commit and before the receipt", async () => {
    const channel = await world.open();
    const seen: number[] = [];
    let answered = 0;
    floors.onRaise = async (raised) => {
      for (const { number } of raised) {
        const log = await world.store.readLog(0, 1_000);
        const updates = log.filter(({ kind }) => kind === "update").length;
        assert.equal(updates, answered + 1, "the update is stored, its receipt is not out");
        seen.push(number);
      }
    };
    world.onAccepted = () => void answered++;
    offer(channel, "holder", 50_000, "one");
    await channel.settle();
    assert.deepEqual(seen, [1]);
    assert.equal(floors.floorOf(channel.channelId), 1);
  });

  it("end the process when they cannot be made durable: no receipt leaves", async () => {
    const channel = await world.open();
    floors.onRaise = async (raised) => {
      if (raised.length > 0) throw new Error("the disk is full");
      return Promise.resolve();
    };
    offer(channel, "holder", 50_000, "one");
    await assert.rejects(channel.settle(), /the disk is full/);
    assert.equal(world.fatal.length, 1);
  });

  it("hold back the commitment of an older store, with an alarm, and let go when it caught up", async () => {
    const channel = await world.open();
    offer(channel, "holder", 50_000, "one");
    await channel.settle();
    const { channelId } = channel;
    const newest = holderOf(channelId).holder.commitmentNumber;
    await floors.raise([{ channelId, number: commitmentNumber(newest + 1) }]);
    await world.restart();
    assert.deepEqual(
      alarms().map(({ fields }) => [fields["channelId"], fields["holder"], fields["floor"]]),
      [[channelId, newest, newest + 1]],
    );
    const refused = await broadcast(channelId);
    assert.ok(!refused.ok && refused.error.reason === "holderRevoked");
    assert.deepEqual(world.chain.broadcasts, []);

    await world.restart();
    assert.equal(holderOf(channelId).holderFloor, newest + 1, "stored, and known after a restart");
    offer(channel, "holder", 50_000, "two");
    await channel.settle();
    assert.equal(holderOf(channelId).holder.commitmentNumber, newest + 1);
    const closed = await broadcast(channelId);
    assert.ok(closed.ok);
    await world.running.published();
    assert.equal(world.chain.broadcasts.length, 1);
  });

  it("are recalled when a channel is watched again after its store was lost", async () => {
    const channel = await world.open();
    const initial = channel.initialState("holder");
    offer(channel, "holder", 50_000, "one");
    await channel.settle();
    const { channelId } = channel;
    await world.loseStore();
    const watched = await world.host.watchChannel(world.manager.who, world.manager.watch(initial));
    assert.ok(watched.ok);
    assert.equal(must(holderOf(channelId), "watched").holder.commitmentNumber, 0);
    const refused = await broadcast(channelId);
    assert.ok(!refused.ok && refused.error.reason === "holderRevoked");
  });
});
