/**
 * `Completed.item_watermark` and `ReplayDone.last_item_id` on the wire: a node that reads Subscribe and UpdateChannel
 * over gRPC can put them in order, when one of two monitors tells an event first and the other completes last.
 */
import assert from "node:assert/strict";
import { must } from "@farwatch/protocol/assert";
import { fromHex } from "@farwatch/protocol/bytes";
import { encodeInitialState } from "@farwatch/protocol/convert/channel";
import { encodeUpdatePayload } from "@farwatch/protocol/convert/update";
import {
  Role,
  type Completed,
  type ManagerServiceClient,
  type OpenNodeSessionResponse,
  type SubscribeResponse,
  type UpdateChannelResponse,
  type WatchChannelResponse,
} from "@farwatch/protocol/gen/manager/v1/manager_service";
import type { Metadata } from "@grpc/grpc-js";
import {
  CHANNEL,
  claimed,
  fromUpdate,
  initialState,
  receive,
  sign,
} from "@farwatch/manager-service/manager/testing/scene";
import { Bench as Manager } from "@farwatch/manager-service/runtime/testing/bench";
import {
  Bench,
  call,
  createCertificates,
  NODE_KEY,
  sessionMetadata,
  until,
  type Certificates,
} from "./manager-rpc-bench.js";

const ID = Buffer.from(fromHex(CHANNEL));

/** One session of a node: both streams, unordered. */
class Session {
  readonly completed: Completed[] = [];
  readonly items: bigint[] = [];
  lastItemId: bigint | undefined;
  readonly #updates;
  readonly #subscription;

  constructor(
    client: ManagerServiceClient,
    readonly metadata: Metadata,
  ) {
    this.#updates = client.updateChannel(metadata);
    this.#updates.on("error", () => undefined);
    this.#updates.on("data", ({ item }: UpdateChannelResponse) => {
      if (item?.$case === "completed") this.completed.push(item.value);
    });
    this.#subscription = client.subscribe({}, metadata);
    this.#subscription.on("error", () => undefined);
    this.#subscription.on("data", ({ item }: SubscribeResponse) => {
      if (item?.$case === "event") this.items.push(item.value.itemId);
      if (item?.$case === "replayDone") this.lastItemId = item.value.lastItemId;
    });
  }
  update(updateId: bigint, value: Uint8Array): void {
    const payload = { $case: "typed" as const, value: Buffer.from(value) };
    this.#updates.write({ channelId: ID, updateId, payload });
  }
  close(): void {
    this.#updates.cancel();
    this.#subscription.cancel();
  }
  async upTo(id: bigint): Promise<Completed> {
    await until(() => this.completed.some(({ updateId }) => updateId >= id), `completed ${id}`);
    return must(this.completed.at(-1), "completed");
  }
}

describe("a node that reads both streams over gRPC", () => {
  let certificates: Certificates;
  let rpc: Bench;
  let manager: Manager;
  let client: ManagerServiceClient;
  before(async () => {
    certificates = await createCertificates();
  });
  beforeEach(async () => {
    rpc = new Bench(certificates);
    manager = new Manager();
    await manager.start();
    client = await rpc.open(manager.host);
  });
  afterEach(async () => {
    await rpc.close();
    await manager.remove();
  });

  async function session(nodeEpoch: bigint): Promise<Session> {
    const node = { nodeKey: Buffer.from(fromHex(NODE_KEY)), nodeEpoch, channels: [] };
    const request = { ...node, role: Role.NODE_RESOLVES, ldkVersion: "0.2" };
    const { sessionId } = await call<OpenNodeSessionResponse>((done) =>
      client.openNodeSession(request, done),
    );
    const metadata = sessionMetadata(sessionId.toString("hex"));
    if (nodeEpoch === 1n) {
      const first = Buffer.from(encodeInitialState(initialState()));
      await call<WatchChannelResponse>((done) =>
        client.watchChannel({ initialState: first, firstUpdateId: 1n }, metadata, done),
      );
    }
    return new Session(client, metadata);
  }

  it("learns which item comes before a Completed, also when it comes back", async () => {
    const node = await session(1n);
    await manager.durable(0);
    assert.equal((await node.upTo(0n)).itemWatermark, 0n);
    node.update(1n, encodeUpdatePayload([sign(1, [{ part: 1 }])]));
    node.update(2n, encodeUpdatePayload([receive(1)]));
    await until(() => manager.b.sent.length === 2, "both are with the monitors");
    await manager.b.receipt(1);
    await manager.a.event(claimed({ part: 1 }), fromUpdate(1)); // the first to tell
    await manager.a.receipt(2, { watermark: 1 });
    const one = await node.upTo(1n);
    await until(() => node.items.length === 1, "the event");
    assert.deepEqual([one.updateId, one.itemWatermark], [1n, node.items[0]]);
    await manager.b.event(claimed({ part: 1 }), fromUpdate(1)); // the same fact, no item of its own
    await manager.b.receipt(2, { watermark: 1 }); // the last to complete
    const two = await node.upTo(2n);
    assert.deepEqual([two.updateId, two.itemWatermark], [2n, node.items[0]]);
    assert.equal(node.items.length, 1);
    assert.equal(node.lastItemId, 0n, "there was nothing to replay");
    node.close();
    const back = await session(2n);
    assert.equal((await back.upTo(2n)).itemWatermark, two.itemWatermark);
    await until(() => back.lastItemId !== undefined, "the end of the replay");
    assert.ok(must(back.lastItemId, "told") >= two.itemWatermark);
    assert.deepEqual(back.items, node.items);
    back.close();
  });

  it("need not wait for an item that it has handled: the replay says that it came so far", async () => {
    const node = await session(1n);
    await manager.durable(0);
    await manager.a.event(claimed({ part: 1 }));
    await until(() => node.items.length === 1, "the event");
    const handled = { $case: "handled" as const, value: {} };
    const items = node.items.map((itemId) => ({ itemId, answer: handled }));
    await call((done) => client.done({ items }, node.metadata, done));
    node.update(1n, encodeUpdatePayload([receive(1)]));
    await until(() => manager.b.sent.length === 1, "it is with the monitors");
    await manager.durable(1);
    const { itemWatermark } = await node.upTo(1n);
    assert.equal(itemWatermark, node.items[0]);
    node.close();
    const back = await session(2n);
    await until(() => back.lastItemId !== undefined, "the end of the replay");
    assert.deepEqual(back.items, []);
    assert.ok(must(back.lastItemId, "told") >= itemWatermark);
    back.close();
  });
});
