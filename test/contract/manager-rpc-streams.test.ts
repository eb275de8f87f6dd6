/** ManagerService's edge, streams: order, windows, back-pressure, and how a stream ends. */
import assert from "node:assert/strict";
import type { Readable } from "node:stream";
import { status } from "@grpc/grpc-js";
import { must } from "@farwatch/protocol/assert";
import { fromHex } from "@farwatch/protocol/bytes";
import type { Item } from "@farwatch/protocol/gen/manager/v1/event";
import type {
  SubscribeResponse,
  UpdateChannelRequest,
  UpdateChannelResponse,
} from "@farwatch/protocol/gen/manager/v1/manager_service";
import { refuse } from "@farwatch/protocol/reasons";
import { MAX_BUFFERED_ANSWERS, MAX_UPDATES_IN_FLIGHT } from "@farwatch/manager-service/rpc/limits";
import type {
  ItemSubscriber,
  ManagerHost,
  UpdateRequest,
  UpdateSubscriber,
} from "@farwatch/manager-service/runtime/manager-host";
import {
  Bench,
  CHANNEL,
  createCertificates,
  failureOf,
  sessionMetadata,
  until,
  type Certificates,
} from "./manager-rpc-bench.js";

const ID = Buffer.from(fromHex(CHANNEL));
const typed = (updateId: number | bigint, length = 8): UpdateChannelRequest => ({
  channelId: ID,
  updateId: BigInt(updateId),
  payload: { $case: "typed", value: Buffer.alloc(length, Number(updateId) & 0xff) },
});
const accepted = (updateId: bigint): UpdateChannelResponse => ({
  item: { $case: "accepted", value: { channelId: ID, updateId, updateHash: Buffer.alloc(32) } },
});
const completed = (updateId: bigint): UpdateChannelResponse => ({
  item: {
    $case: "completed",
    value: { channelId: ID, updateId, eventWatermark: 0n, closed: false, itemWatermark: 0n },
  },
});

/** A host that accepts when told to, and remembers the subscriber and every request. */
class UpdateScript {
  readonly requests: UpdateRequest[] = [];
  readonly settle: (() => void)[] = [];
  closed = 0;
  subscriber: UpdateSubscriber | undefined;

  get host(): Partial<ManagerHost> {
    return {
      updateStream: (_, subscriber) => {
        this.subscriber = subscriber;
        return { close: () => void this.closed++ };
      },
      update: (_, request) => {
        this.requests.push(request);
        return new Promise((resolve) => this.settle.push(resolve));
      },
    };
  }
  tell(response: UpdateChannelResponse): void {
    must(this.subscriber, "a stream").tell(response);
  }
  /** Accepts everything that waits, in order. */
  acceptAll(): void {
    const from = this.requests.length - this.settle.length;
    for (const [index, resolve] of this.settle.splice(0).entries()) {
      this.tell(accepted(must(this.requests[from + index], "a request").updateId));
      resolve();
    }
  }
}

/** A caller that stops reading: the client's transport holds back only once a first read was made. */
function readOneThenPause(stream: Readable): () => number {
  let count = 0;
  stream.on("data", () => {
    count += 1;
    if (count === 1) stream.pause();
  });
  return () => count;
}

describe("ManagerService, streams", () => {
  let certificates: Certificates;
  let bench: Bench;
  before(async () => {
    certificates = await createCertificates();
  });
  beforeEach(() => {
    bench = new Bench(certificates);
  });
  afterEach(() => bench.close());

  async function openUpdates(script: Pick<UpdateScript, "host">, metadata = sessionMetadata()) {
    const client = await bench.open(script.host);
    const stream = client.updateChannel(metadata);
    const answers: UpdateChannelResponse[] = [];
    const errors: unknown[] = [];
    let ended = false;
    stream.on("data", (answer: UpdateChannelResponse) => answers.push(answer));
    stream.on("error", (error) => errors.push(error));
    stream.on("end", () => (ended = true));
    return { stream, answers, errors, ended: () => ended };
  }
  const refusalIn = (errors: readonly unknown[]) => failureOf(errors[0]);
  const cases = (answers: readonly UpdateChannelResponse[]) =>
    answers.map(({ item }) => `${item?.$case}:${item?.value.updateId}`);

  describe("UpdateChannel", () => {
    it("passes pipelined updates on in order before the first is accepted", async () => {
      const script = new UpdateScript();
      const { stream, answers } = await openUpdates(script);
      for (let id = 1; id <= 100; id++) stream.write(typed(id));
      await until(() => script.requests.length === 100, "100 requests");
      assert.deepEqual(
        script.requests.map(({ updateId }) => updateId),
        Array.from({ length: 100 }, (_, i) => BigInt(i + 1)),
      );
      assert.equal(script.requests[0]?.channelId, CHANNEL);
      assert.deepEqual(Buffer.from(script.requests[4]?.payload ?? []), Buffer.alloc(8, 5));
      script.acceptAll();
      script.tell(completed(100n));
      await until(() => answers.length === 101, "101 answers");
      assert.equal(cases(answers).at(-1), "completed:100");
      stream.cancel();
      await until(() => script.closed === 1, "the host's stream is closed");
    });

    it("sends its headers at once: a client may wait for them before its first update", async () => {
      const client = await bench.open(new UpdateScript().host);
      const stream = client.updateChannel(sessionMetadata());
      stream.on("error", () => undefined);
      await new Promise((resolve) => stream.once("metadata", resolve));
      stream.cancel();
    });

    it("stops reading at the window and goes on when updates are accepted", async () => {
      const script = new UpdateScript();
      const { stream, answers } = await openUpdates(script);
      const total = MAX_UPDATES_IN_FLIGHT + 500;
      for (let id = 1; id <= total; id++) stream.write(typed(id));
      await until(() => script.requests.length >= MAX_UPDATES_IN_FLIGHT, "a full window");
      await new Promise((resolve) => setTimeout(resolve, 200));
      assert.equal(script.requests.length, MAX_UPDATES_IN_FLIGHT);
      script.acceptAll();
      await until(() => script.requests.length === total, "the rest");
      script.acceptAll();
      await until(() => answers.length === total, "all accepted");
      stream.cancel();
    });

    it("passes LDK's bytes on as such, refuses a missing payload in place, and goes on", async () => {
      const script = new UpdateScript();
      const { stream, answers } = await openUpdates(script);
      stream.write({ ...typed(1), payload: { $case: "ldkBytes", value: Buffer.alloc(4) } });
      stream.write({ ...typed(2), payload: undefined });
      stream.write(typed(3));
      await until(() => answers.length === 1 && script.requests.length === 2, "one refusal");
      const reasons = answers.map(({ item }) =>
        item?.$case === "refused" ? item.value.error?.reason : item?.$case,
      );
      assert.deepEqual(reasons, ["malformed"]);
      assert.deepEqual(
        script.requests.map(({ updateId, payloadType }) => [updateId, payloadType]),
        [
          [1n, "ldkBytes"],
          [3n, undefined],
        ],
      );
      stream.cancel();
    });

    it("ends the stream on a request that names no channel", async () => {
      const script = new UpdateScript();
      const { stream, errors } = await openUpdates(script);
      stream.write({ ...typed(1), channelId: Buffer.alloc(31) });
      await until(() => errors.length === 1, "an error");
      assert.equal(refusalIn(errors).refusal?.reason, "wrongLength");
      assert.equal(script.closed, 1);
      assert.equal(script.requests.length, 0);
    });

    it("refuses a stream without a session and asks the host nothing", async () => {
      const script = new UpdateScript();
      const { errors } = await openUpdates(script, sessionMetadata("00".repeat(16)));
      await until(() => errors.length === 1, "an error");
      assert.equal(refusalIn(errors).refusal?.reason, "fenced");
      assert.equal(script.subscriber, undefined);
    });

    it("takes no update of a session that was replaced while the stream was open", async () => {
      const script = new UpdateScript();
      let replaced = false;
      const client = await bench.open({
        ...script.host,
        checkSession: () => (replaced ? refuse("fenced", "a newer session") : undefined),
      });
      const stream = client.updateChannel(sessionMetadata());
      const errors: unknown[] = [];
      stream.on("error", (error) => errors.push(error));
      stream.on("data", () => undefined);
      stream.write(typed(1));
      await until(() => script.requests.length === 1, "the first update");
      replaced = true;
      stream.write(typed(2));
      await until(() => errors.length === 1, "an error");
      assert.equal(refusalIn(errors).refusal?.reason, "fenced");
      assert.equal(script.requests.length, 1);
    });

    it("answers a half-closed stream until each accepted update is completed", async () => {
      const script = new UpdateScript();
      const { stream, answers, ended } = await openUpdates(script);
      stream.write(typed(1));
      stream.write(typed(2));
      stream.end();
      await until(() => script.requests.length === 2, "both updates");
      script.acceptAll();
      script.tell(completed(1n));
      await until(() => answers.length === 3, "three answers");
      assert.equal(ended(), false);
      script.tell(completed(2n));
      await until(ended, "the end");
      assert.equal(cases(answers).at(-1), "completed:2");
      assert.equal(script.closed, 1);
    });

    it("tells an incident when the host fails, and the host's own end as it is", async () => {
      const script = new UpdateScript();
      const broken = await openUpdates({
        host: { ...script.host, update: () => Promise.reject(new TypeError("secret 42")) },
      });
      broken.stream.write(typed(1));
      await until(() => broken.errors.length === 1, "an error");
      assert.equal(refusalIn(broken.errors).code, status.INTERNAL);
      assert.ok(!bench.logged.join("").includes("secret 42"));
      const fenced = await openUpdates(script);
      fenced.stream.write(typed(1));
      await until(() => script.requests.length === 1, "an update");
      must(script.subscriber, "a stream").end(refuse("fenced", "replaced"));
      await until(() => fenced.errors.length === 1, "an error");
      assert.equal(refusalIn(fenced.errors).refusal?.reason, "fenced");
    });

    it("pauses a caller that does not read its answers", async () => {
      const script = new UpdateScript();
      const client = await bench.open({
        ...script.host,
        update: (_, request) => {
          script.requests.push(request);
          const refused = refuse("updateGap", "x".repeat(4_000));
          script.tell({
            item: {
              $case: "refused",
              value: {
                channelId: ID,
                updateId: request.updateId,
                error: { ...refused, details: {} },
                expectedUpdateId: 1n,
              },
            },
          });
          return Promise.resolve();
        },
      });
      const stream = client.updateChannel(sessionMetadata());
      stream.on("error", () => undefined);
      const answers = readOneThenPause(stream);
      const total = 4 * MAX_UPDATES_IN_FLIGHT;
      for (let id = 1; id <= total; id++) stream.write(typed(id));
      await until(() => script.requests.length >= MAX_UPDATES_IN_FLIGHT, "a full window");
      await new Promise((resolve) => setTimeout(resolve, 300));
      const before = script.requests.length;
      assert.ok(before < total, `${before} of ${total} were read`);
      stream.resume();
      await until(() => answers() === total, "every answer", 30_000);
      stream.cancel();
    });
  });

  it("ends UpdateChannel when more answers wait than may be held, and not before", async () => {
    const script = new UpdateScript();
    const { stream, errors } = await openUpdates(script);
    stream.write(typed(1));
    await until(() => script.requests.length === 1, "an open stream");
    // Told in one turn, so nothing drains; the transport itself takes the first few.
    for (let id = 1; id <= MAX_BUFFERED_ANSWERS; id++) script.tell(completed(BigInt(id)));
    assert.equal(script.closed, 0);
    for (let id = 1; id <= 100; id++) script.tell(completed(BigInt(id)));
    assert.equal(script.closed, 1);
    await until(() => errors.length === 1, "an error");
    assert.equal(refusalIn(errors).refusal?.reason, "tooManyInFlight");
  });

  describe("Subscribe", () => {
    const item = (itemId: bigint, textLength = 1): Item => ({
      itemId,
      semanticKey: "k".repeat(textLength),
      item: undefined,
      createdAtMs: 0n,
    });

    async function openItems(pump: (subscriber: ItemSubscriber) => Promise<void>) {
      let closed = 0;
      const client = await bench.open({
        subscribe(_, subscriber) {
          void pump(subscriber);
          return { close: () => void closed++ };
        },
      });
      const stream = client.subscribe({}, sessionMetadata());
      const errors: unknown[] = [];
      stream.on("error", (error) => errors.push(error));
      return { stream, errors, closed: () => closed };
    }

    it("tells items, the end of the replay, then live items", async () => {
      const got: string[] = [];
      const { stream, closed } = await openItems(async (subscriber) => {
        await subscriber.item(item(1n));
        await subscriber.replayDone(1, ["mon-a", "mon-b"], 7n);
        await subscriber.item(item(2n));
      });
      stream.on("data", ({ item: each }: SubscribeResponse) =>
        got.push(
          each?.$case === "event"
            ? `item ${each.value.itemId}`
            : `replayed ${each?.value.replayed}, ${each?.value.bumpsKnownOf.join()}, ${each?.value.lastItemId}`,
        ),
      );
      await until(() => got.length === 3, "three messages");
      assert.deepEqual(got, ["item 1", "replayed 1, mon-a,mon-b, 7", "item 2"]);
      stream.cancel();
      await until(() => closed() === 1, "the host's subscription is closed");
    });

    it("makes the host wait for a caller that does not read", async () => {
      let told = 0;
      const total = 2_000;
      const { stream } = await openItems(async (subscriber) => {
        for (let id = 1; id <= total; id++) {
          await subscriber.item(item(BigInt(id), 10_000));
          told = id;
        }
      });
      const read = readOneThenPause(stream);
      await until(() => told > 0, "the first item");
      await new Promise((resolve) => setTimeout(resolve, 300));
      const before = told;
      assert.ok(before < total / 2, `${before} of ${total} were taken`);
      stream.resume();
      await until(() => read() === total, "every item", 30_000);
      stream.cancel();
    });

    it("lets go of a host that waits when the caller leaves", async () => {
      let finished = false;
      const { stream } = await openItems(async (subscriber) => {
        for (let id = 1n; id <= 2_000n; id++) await subscriber.item(item(id, 10_000));
        finished = true;
      });
      readOneThenPause(stream);
      await new Promise((resolve) => setTimeout(resolve, 200));
      assert.equal(finished, false);
      stream.cancel();
      await until(() => finished, "the pump ends");
    });

    it("ends with the host's refusal", async () => {
      const { stream, errors } = await openItems((subscriber) => {
        subscriber.end(refuse("streamReplaced", "a newer stream"));
        return Promise.resolve();
      });
      stream.on("data", () => undefined);
      await until(() => errors.length === 1, "an error");
      assert.equal(refusalIn(errors).code, status.ABORTED);
      assert.equal(refusalIn(errors).refusal?.reason, "streamReplaced");
    });
  });
});
