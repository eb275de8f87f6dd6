/** UpdateChannel and StreamEvents over TLS: order, limits, back-pressure and how streams end. */
import assert from "node:assert/strict";
import type { ClientDuplexStream } from "@grpc/grpc-js";
import {
  MAX_STREAM_BYTES_IN_FLIGHT,
  PAUSE_ABOVE_UPDATES,
} from "@farwatch/monitor-service/rpc/limits";
import type {
  EventSubscriber,
  SubmitOutcome,
  UpdateBatch,
} from "@farwatch/monitor-service/runtime/monitor-host";
import { MAX_BATCH_UPDATES } from "@farwatch/protocol/envelope/limits";
import type { SealedMonitorEvent } from "@farwatch/protocol/event";
import { encodeEventPayload } from "@farwatch/protocol/convert/event";
import type {
  StreamEventsResponse,
  UpdateChannelRequest,
  UpdateChannelResponse,
} from "@farwatch/protocol/gen/monitor/v1/monitor_service";
import { must } from "@farwatch/protocol/assert";
import { channelId, eventId, hash32, txid, updateId } from "@farwatch/protocol/ids";
import { refuse } from "@farwatch/protocol/reasons";
import { err, ok } from "@farwatch/protocol/result";
import { Bench, createCertificates, ending, until, type Certificates } from "./bench.js";

const CHANNEL = channelId("11".repeat(32));
const HASH = hash32("22".repeat(32));

const batchOf = (count: number, bytes = 0, header = 0): UpdateChannelRequest => ({
  batch: {
    header: Buffer.from([header]),
    signature: Buffer.alloc(64),
    updates: Array.from({ length: count }, () => ({
      header: Buffer.alloc(1),
      payload: Buffer.alloc(bytes),
    })),
  },
});

const receiptFor = (id: number): SubmitOutcome => ({
  receipts: {
    header: Buffer.from([id]),
    signature: Buffer.alloc(64),
    receipts: [
      {
        channelId: CHANNEL,
        updateId: updateId(id),
        updateHash: HASH,
        status: "persisted",
        eventWatermark: eventId(0),
        header: Buffer.alloc(1),
      },
    ],
  },
  refused: [],
});

/** A host whose commits the test decides. */
class SlowHost {
  readonly batches: UpdateBatch[] = [];
  readonly #commits: ((outcome: SubmitOutcome) => void)[] = [];
  updates = 0;

  submitUpdates(batch: UpdateBatch): Promise<SubmitOutcome> {
    this.batches.push(batch);
    this.updates += batch.updates.length;
    return new Promise((resolve) => this.#commits.push(resolve));
  }
  commit(index: number, outcome: SubmitOutcome): void {
    must(this.#commits[index], "a batch")(outcome);
  }
  commitAll(): void {
    this.#commits.forEach((commit, index) => commit(receiptFor(index)));
  }
}

describe("MonitorService, streams", () => {
  let certificates: Certificates;
  let bench: Bench;
  let host: SlowHost;
  before(async () => {
    certificates = await createCertificates();
  });
  after(() => certificates.remove());
  beforeEach(() => {
    bench = new Bench(certificates);
    host = new SlowHost();
  });
  afterEach(async () => {
    host.commitAll(); // a stop waits for what is under way
    await bench.close();
  });

  const serve = () => bench.serve({ submitUpdates: (_who, batch) => host.submitUpdates(batch) });

  interface Sender {
    readonly stream: ClientDuplexStream<UpdateChannelRequest, UpdateChannelResponse>;
    readonly answers: UpdateChannelResponse[];
  }
  async function sender(): Promise<Sender> {
    const stream = bench.client(await serve()).updateChannel();
    const answers: UpdateChannelResponse[] = [];
    stream.on("data", (answer: UpdateChannelResponse) => answers.push(answer));
    stream.on("error", () => undefined); // the server stops at the end of the test
    return { stream, answers };
  }

  it("hands batches over without waiting and answers in the order of commits", async () => {
    const { stream, answers } = await sender();
    for (const header of [7, 8, 9]) stream.write(batchOf(1, 0, header));
    await until("three batches", () => host.batches.length === 3);
    assert.deepEqual(
      host.batches.map((batch) => batch.header[0]),
      [7, 8, 9],
    );
    host.commit(1, receiptFor(1));
    await until("an answer", () => answers.length === 1);
    host.commit(0, receiptFor(0));
    host.commit(2, receiptFor(2));
    await until("all answers", () => answers.length === 3);
    const ids = answers.map(({ receipts }) => receipts?.receipts[0]?.updateId);
    assert.deepEqual(ids, [1n, 0n, 2n]);
    stream.end();
    await new Promise((resolve) => stream.on("end", resolve));
  });

  it("names the update of a refusal, and nothing when its header is unreadable", async () => {
    const { stream, answers } = await sender();
    stream.write(batchOf(2));
    await until("a batch", () => host.batches.length === 1);
    host.commit(0, {
      receipts: undefined,
      refused: [
        {
          channelId: CHANNEL,
          updateId: updateId(5),
          refusal: refuse("updateGap", "a gap", { expected_update_id: "4" }),
        },
        { channelId: undefined, updateId: undefined, refusal: refuse("wrongLength", "header") },
      ],
    });
    await until("an answer", () => answers.length === 1);
    const { receipts, refused } = must(answers[0], "answer");
    assert.equal(receipts, undefined);
    assert.deepEqual(
      refused.map((entry) => [entry.channelId.length, entry.updateId, entry.error?.reason]),
      [
        [32, 5n, "updateGap"],
        [0, 0n, "wrongLength"],
      ],
    );
    assert.equal(refused[0]?.error?.details["expected_update_id"], "4");
  });

  it("stops reading when too many updates are under way, and goes on after a commit", async () => {
    const { stream, answers } = await sender();
    const count = PAUSE_ABOVE_UPDATES / MAX_BATCH_UPDATES + 4;
    for (let i = 0; i < count; i++) stream.write(batchOf(MAX_BATCH_UPDATES));
    await until("the limit", () => host.updates > PAUSE_ABOVE_UPDATES);
    await new Promise((resolve) => setTimeout(resolve, 200));
    assert.equal(host.updates, PAUSE_ABOVE_UPDATES + MAX_BATCH_UPDATES);
    host.commitAll();
    await until("the others", () => host.batches.length === count);
    host.commitAll();
    await until("all answers", () => answers.length === count);
  });

  it("stops reading when too many bytes are under way", async () => {
    const { stream } = await sender();
    const size = 3 * 1024 * 1024;
    const allowed = Math.floor(MAX_STREAM_BYTES_IN_FLIGHT / size) + 1;
    for (let i = 0; i < allowed + 4; i++) stream.write(batchOf(1, size));
    await until("the limit", () => host.batches.length === allowed);
    await new Promise((resolve) => setTimeout(resolve, 200));
    assert.equal(host.batches.length, allowed);
    host.commitAll();
    await until("the others", () => host.batches.length === allowed + 4);
  });

  it("takes 1024 updates in a batch and refuses the stream at 1025", async () => {
    const { stream } = await sender();
    const failed = ending(stream);
    stream.write(batchOf(MAX_BATCH_UPDATES));
    await until("the batch", () => host.batches.length === 1);
    stream.write(batchOf(MAX_BATCH_UPDATES + 1));
    const failure = await failed;
    assert.deepEqual([failure.code, failure.refusal?.reason], ["RESOURCE_EXHAUSTED", "tooLarge"]);
  });

  it("refuses an empty batch as malformed", async () => {
    const { stream } = await sender();
    stream.write({ batch: undefined });
    assert.equal((await ending(stream)).refusal?.reason, "malformed");
  });

  it("answers what was accepted before it stops", async () => {
    const server = await serve();
    const stream = bench.client(server).updateChannel();
    const answers: UpdateChannelResponse[] = [];
    stream.on("data", (answer: UpdateChannelResponse) => answers.push(answer));
    const failed = ending(stream);
    stream.write(batchOf(1));
    await until("the batch", () => host.batches.length === 1);
    const stopped = server.stop();
    stream.write(batchOf(1));
    await new Promise((resolve) => setTimeout(resolve, 50));
    host.commit(0, receiptFor(0));
    const failure = await failed;
    assert.deepEqual([failure.code, failure.refusal?.reason], ["UNAVAILABLE", "stopping"]);
    assert.equal(answers.length, 1, "the accepted batch was answered");
    assert.equal(host.batches.length, 1, "nothing was taken after the stop");
    await stopped;
  });

  it("ends the stream with an incident when the host throws", async () => {
    const server = await bench.serve({ submitUpdates: () => Promise.reject(new Error("secret")) });
    const stream = bench.client(server).updateChannel();
    stream.write(batchOf(1));
    const failure = await ending(stream);
    assert.deepEqual([failure.code, failure.refusal?.reason], ["INTERNAL", "assertion"]);
  });
});

const PAYLOAD = encodeEventPayload({
  body: { kind: "discardFunding", funding: { txid: txid("33".repeat(32)), vout: 1 } },
  origin: { kind: "command", command: "x".repeat(60_000) },
});
const eventOf = (id: number): SealedMonitorEvent => ({
  channelId: CHANNEL,
  eventId: eventId(id),
  header: Buffer.alloc(1),
  eventHash: HASH,
  payload: PAYLOAD,
  subjectKey: HASH,
  createdAtMs: 1,
  signature: Buffer.alloc(64),
});

describe("MonitorService, events", () => {
  const TOTAL = 500;
  let certificates: Certificates;
  let bench: Bench;
  before(async () => {
    certificates = await createCertificates();
  });
  after(() => certificates.remove());
  beforeEach(() => {
    bench = new Bench(certificates);
  });
  afterEach(() => bench.close());

  it("holds the feed back while the client does not read, and loses nothing", async () => {
    let handed = 0;
    const feed = async (subscriber: EventSubscriber): Promise<void> => {
      for (let id = 1; id <= TOTAL; id++) {
        await subscriber.event(eventOf(id));
        handed = id;
      }
      await subscriber.endOfReplay(TOTAL);
    };
    const server = await bench.serve({
      subscribe: (_who, epoch, subscriber) => {
        assert.equal(epoch, 9n);
        setImmediate(() => void feed(subscriber));
        return ok({ close: () => undefined });
      },
    });
    const stream = bench.client(server).streamEvents({ epoch: 9n });
    stream.on("error", () => undefined); // the server stops at the end of the test
    const seen: bigint[] = [];
    let end: bigint | undefined;
    stream.on("data", ({ item }: StreamEventsResponse) => {
      if (item?.$case === "event") seen.push(item.value.eventId);
      if (item?.$case === "endOfReplay") end = item.value.replayed;
    });
    stream.pause();
    await until("the feed to start", () => handed > 0);
    await new Promise((resolve) => setTimeout(resolve, 300));
    assert.ok(handed < TOTAL / 4, `${handed} events were taken without a reader`);
    stream.resume();
    await until("everything", () => end !== undefined);
    assert.equal(end, BigInt(TOTAL));
    assert.deepEqual(
      seen,
      Array.from({ length: TOTAL }, (_, index) => BigInt(index + 1)),
    );
  });

  it("ends its subscription and its waiting hand-over when the client goes", async () => {
    let closed = 0;
    let outcome: string | undefined;
    const feed = async (subscriber: EventSubscriber): Promise<void> => {
      for (let id = 1; ; id++) await subscriber.event(eventOf(id));
    };
    const server = await bench.serve({
      subscribe: (_who, _epoch, subscriber) => {
        feed(subscriber).catch((error: unknown) => {
          outcome = error instanceof Error ? error.name : "other";
        });
        return ok({ close: () => closed++ });
      },
    });
    const stream = bench.client(server).streamEvents({ epoch: 1n });
    stream.on("error", () => undefined);
    stream.once("data", () => stream.pause());
    await new Promise((resolve) => setTimeout(resolve, 100));
    stream.cancel();
    await until("the feed to end", () => outcome !== undefined);
    assert.deepEqual([outcome, closed], ["StreamGone", 1]);
  });

  it("ends with the feed's refusal, and with the host's", async () => {
    const server = await bench.serve({
      subscribe: (_who, epoch, subscriber) => {
        if (epoch === 1n) return err(refuse("fenced", "old", { current_epoch: "2" }));
        setImmediate(() => subscriber.end(refuse("streamReplaced", "a newer one")));
        return ok({ close: () => undefined });
      },
    });
    const client = bench.client(server);
    const replaced = await ending(client.streamEvents({ epoch: 2n }).on("data", () => undefined));
    assert.deepEqual([replaced.code, replaced.refusal?.reason], ["ABORTED", "streamReplaced"]);
    const fenced = await ending(client.streamEvents({ epoch: 1n }).on("data", () => undefined));
    assert.deepEqual(fenced.refusal?.details, { current_epoch: "2" });
  });
});
