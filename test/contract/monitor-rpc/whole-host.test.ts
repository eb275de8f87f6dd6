/** A whole monitor host behind the server: signed bytes in, verified receipts and events out. */
import assert from "node:assert/strict";
import type { ClientDuplexStream } from "@grpc/grpc-js";
import { MAX_PAGE_SIZE, MAX_RESPONSE_BYTES } from "@farwatch/monitor-service/rpc/limits";
import type { ChannelView, UpdateBatch } from "@farwatch/monitor-service/runtime/monitor-host";
import { must } from "@farwatch/protocol/assert";
import { fromHex, toHex } from "@farwatch/protocol/bytes";
import { sealedFromWire } from "@farwatch/protocol/convert/event";
import { receiptBatchFromWire } from "@farwatch/protocol/convert/receipt";
import { openEvent, openReceiptBatch } from "@farwatch/protocol/envelope/open-monitor-message";
import type { MonitorEvent, SealedMonitorEvent } from "@farwatch/protocol/event";
import {
  AckResult,
  ArchivalHindrance,
  ChannelFilter,
  ClosingState,
  type GetChannelResponse,
  type GetInfoResponse,
  type ListChannelsResponse,
  type MonitorServiceClient,
  type ReceiptBatch,
  type StreamEventsResponse,
  type UpdateChannelRequest,
  type UpdateChannelResponse,
} from "@farwatch/protocol/gen/monitor/v1/monitor_service";
import { channelId, eventId, hash32, txid, type ChannelId } from "@farwatch/protocol/ids";
import { ok } from "@farwatch/protocol/result";
import { createChannel, type Channel } from "../../harness/channel/channel.js";
import {
  NOWHERE,
  offer,
  secretNamed,
  testChannelOptions,
} from "../../harness/channel/test-channel.js";
import { World } from "../shell/world.js";
import { Bench, call, createCertificates, failing, until, type Certificates } from "./bench.js";

const buffer = (bytes: Uint8Array): Buffer => Buffer.from(bytes);

describe("MonitorService over a whole host", function () {
  this.timeout(60_000);
  let certificates: Certificates;
  let bench: Bench;
  let world: World;
  let client: MonitorServiceClient;
  before(async () => {
    certificates = await createCertificates();
  });
  after(() => certificates.remove());
  beforeEach(async () => {
    world = await World.start();
    bench = new Bench(certificates);
    client = bench.client(await bench.serve(world.host, { who: world.manager.who }));
  });
  afterEach(async () => {
    await bench.close();
    await world.end();
  });

  function verified(batch: ReceiptBatch | undefined) {
    const items = receiptBatchFromWire(must(batch, "receipts"));
    assert.ok(items.ok);
    const receipts = items.value.receipts.map(({ header }) => header);
    const opened = openReceiptBatch(world.curve, world.host.info(), { ...items.value, receipts });
    assert.ok(opened.ok, "signed by this monitor");
    return items.value.receipts;
  }

  /** A channel whose first state and updates go over the wire. */
  class Wire {
    readonly #stream: ClientDuplexStream<UpdateChannelRequest, UpdateChannelResponse>;
    readonly #answers: UpdateChannelResponse[] = [];
    readonly receipts: bigint[] = [];

    constructor() {
      this.#stream = client.updateChannel();
      this.#stream.on("error", () => undefined); // the server stops at the end of the test
      this.#stream.on("data", (answer: UpdateChannelResponse) => this.#answers.push(answer));
    }

    async submit({ header, signature, updates }: UpdateBatch): Promise<UpdateChannelResponse> {
      const batch = {
        header: buffer(header),
        signature: buffer(signature),
        updates: updates.map((update) => ({
          header: buffer(update.header),
          payload: buffer(update.payload),
        })),
      };
      this.#stream.write({ batch });
      await until("an answer", () => this.#answers.length > 0);
      return must(this.#answers.shift(), "an answer");
    }

    async open(number: number): Promise<Channel> {
      const channel = createChannel({
        ...testChannelOptions,
        curve: world.curve,
        onUpdate: async (steps) => {
          const update = world.manager.update(channel.channelId, steps);
          const { receipts, refused } = await this.submit(world.manager.batch(update));
          assert.deepEqual(refused, []);
          this.receipts.push(...verified(receipts).map(({ updateId }) => updateId));
        },
      }).open({ ...NOWHERE, txid: txid(`${number}`.padStart(64, "c")) });
      const { batch, header, payload } = world.manager.watch(channel.initialState("holder"));
      const watched = await call<{ readonly receipts: ReceiptBatch | undefined }>((done) =>
        client.watchChannel(
          {
            header: buffer(header),
            payload: buffer(payload),
            batchHeader: buffer(batch.header),
            signature: buffer(batch.signature),
          },
          done,
        ),
      );
      assert.equal(verified(watched.receipts)[0]?.channelId, channel.channelId);
      return channel;
    }
  }

  const show = (id: ChannelId): Promise<GetChannelResponse> =>
    call((done) => client.getChannel({ channelId: buffer(fromHex(id)) }, done));

  it("opens a session, watches, updates, and shows the channel", async () => {
    world.manager.epoch = 2n;
    const session = world.manager.session(world.host.info(), 2n, 2);
    const signed = { header: buffer(session.header), signature: buffer(session.signature) };
    const opened = await call<{ readonly epoch: bigint; readonly monitorKey: Buffer }>((done) =>
      client.openSession(signed, done),
    );
    assert.equal(opened.epoch, 2n);
    assert.equal(toHex(opened.monitorKey), world.host.info().monitorKey);

    const wire = new Wire();
    const channel = await wire.open(1);
    offer(channel, "holder", 50_000, "out");
    offer(channel, "counterparty", 30_000, "in");
    await channel.settle();
    const view = await show(channel.channelId);
    assert.equal(view.latestUpdateId, wire.receipts.at(-1));
    assert.equal(view.closingState, ClosingState.OPEN);
    assert.equal(view.closingTxid, undefined);
    assert.equal(view.revokedCommitments, view.counterpartyCommitmentNumber);
    const [htlc] = view.unresolvedOutboundHtlcs;
    assert.equal(view.unresolvedOutboundHtlcs.length, 1, "the inbound one is not listed");
    assert.equal(toHex(must(htlc, "htlc").paymentHash), secretNamed("out").paymentHash);
    assert.equal(view.protectedUpTo, world.host.info().tip.height);
  });

  it("shows every balance of a channel by its payment hash, and why it is not archived", async () => {
    const wire = new Wire();
    const channel = await wire.open(1);
    offer(channel, "holder", 50_000, "out", 600);
    const inbound = offer(channel, "counterparty", 30_000, "in", 610);
    await channel.settle();
    const { balances, claimableSat, archival } = await show(channel.channelId);
    const byCase = new Map(balances.map(({ kind }) => [kind?.$case, kind?.value]));
    assert.deepEqual(byCase.get("maybeTimeout"), {
      amountSat: 50_000n,
      claimableHeight: 600,
      paymentHash: buffer(fromHex(secretNamed("out").paymentHash)),
      outboundPayment: true,
    });
    assert.deepEqual(byCase.get("maybePreimage"), {
      amountSat: 30_000n,
      expiryHeight: 610,
      paymentHash: buffer(fromHex(inbound.paymentHash)),
    });
    const onClose = balances.flatMap(({ kind }) =>
      kind?.$case === "onChannelClose" ? [kind.value] : [],
    );
    assert.equal(onClose.length, 1);
    assert.equal(onClose[0]?.candidates[0]?.amountSat, claimableSat);
    assert.ok(claimableSat > 0n);
    assert.equal(archival?.hindrance, ArchivalHindrance.NOT_CLOSED);
    assert.equal(archival.archived, false);
  });

  it("streams a claim and takes its ack, once", async () => {
    const wire = new Wire();
    const channel = await wire.open(1);
    const sent = offer(channel, "holder", 50_000, "paid");
    await channel.settle();
    await channel.fulfillHtlc(sent, secretNamed("paid").preimage);
    await channel.settle();
    const stream = client.streamEvents({ epoch: 1n });
    stream.on("error", () => undefined);
    const events: MonitorEvent[] = [];
    let replayed: bigint | undefined;
    stream.on("data", ({ item }: StreamEventsResponse) => {
      if (item?.$case === "endOfReplay") replayed = item.value.replayed;
      if (item?.$case !== "event") return;
      const event = sealedFromWire(item.value);
      if (event.ok) events.push(event.value);
    });
    await until("the replay", () => replayed !== undefined);
    const event = must(events[0], "an event");
    assert.equal(replayed, 1n);
    assert.ok(openEvent(world.curve, world.host.info(), event).ok, "signed by this monitor");
    assert.ok(event.body.kind === "htlcEvent" && event.body.resolution.kind === "claimed");
    const before = await show(channel.channelId);
    assert.deepEqual(before.unackedEventIds, [1n]);
    assert.deepEqual(await waiting(), [1n, BigInt(event.createdAtMs)]);
    assert.equal(before.unresolvedOutboundHtlcs.length, 0);

    const { header, signature, acks } = world.manager.acks(world.host.info(), event, event);
    const request = {
      header: buffer(header),
      signature: buffer(signature),
      acks: acks.map((ack) => ({ header: buffer(ack) })),
    };
    const acked = await call<{ readonly results: readonly AckResult[] }>((done) =>
      client.ackEvents(request, done),
    );
    assert.deepEqual(acked.results, [AckResult.ACKED, AckResult.ALREADY_ACKED]);
    const pending = await call<{ readonly events: readonly unknown[] }>((done) =>
      client.listPendingEvents({ channelId: undefined }, done),
    );
    assert.equal(pending.events.length, 0);
    assert.deepEqual(await waiting(), [0n, undefined]);
  });

  /** Un-acked events, and since when. */
  const waiting = async () => {
    const info = await call<GetInfoResponse>((done) => client.getInfo({}, done));
    return [info.pendingEvents, info.oldestPendingEventAtMs];
  };

  const page = (pageSize: number, pageToken: Uint8Array): Promise<ListChannelsResponse> =>
    call((done) =>
      client.listChannels(
        { pageSize, pageToken: buffer(pageToken), filter: ChannelFilter.UNSPECIFIED },
        done,
      ),
    );

  it("lists channels in pages; an odd token is refused", async () => {
    const made = [await world.open(), await world.open(), await world.open()];
    const wanted = made.map(({ channelId }) => channelId).sort();
    const first = await page(2, buffer(new Uint8Array()));
    const second = await page(2, first.nextPageToken);
    assert.equal(second.nextPageToken.length, 0);
    const listed = [...first.channels, ...second.channels].map((view) => toHex(view.channelId));
    assert.deepEqual(listed, wanted);
    const failure = await failing(page(2, Buffer.alloc(31)));
    assert.equal(failure.refusal?.reason, "wrongLength");
  });

  /** A second server whose channels are copies of one real view. */
  async function serveViews(change: (view: ChannelView) => ChannelView): Promise<number[]> {
    const { channelId: id } = await world.open();
    const found = world.host.channel(world.manager.who, id);
    assert.ok(found.ok);
    const view = change(found.value);
    const limits: number[] = [];
    await bench.close();
    const server = await bench.serve({
      anyChannel: () => Promise.resolve(ok(view)),
      channels: (_, { limit }) => {
        limits.push(limit);
        const views = Array.from({ length: limit }, () => view);
        return Promise.resolve({ views, nextAfter: id });
      },
      pendingEvents: () => Array.from({ length: 3 }, () => LARGE_EVENT),
    });
    client = bench.client(server);
    return limits;
  }

  it("gives at most 100 channels a page, and 100 when nothing is asked", async () => {
    const limits = await serveViews((view) => view);
    for (const size of [0, MAX_PAGE_SIZE, MAX_PAGE_SIZE + 1]) {
      const { channels, nextPageToken } = await page(size, new Uint8Array());
      assert.deepEqual([channels.length, nextPageToken.length], [MAX_PAGE_SIZE, 32]);
    }
    assert.deepEqual(limits, [MAX_PAGE_SIZE, MAX_PAGE_SIZE, MAX_PAGE_SIZE]);
  });

  it("ends a page before it outgrows a message, and refuses a list that cannot be cut", async () => {
    const ids = Array.from({ length: 20_000 }, () => eventId(2n ** 63n));
    await serveViews((view) => ({ ...view, pendingEventIds: ids }));
    const { channels, nextPageToken } = await page(0, new Uint8Array());
    assert.ok(channels.length > 1 && channels.length < MAX_PAGE_SIZE, `${channels.length}`);
    assert.equal(nextPageToken.length, 32);
    const failure = await failing(
      call((done) => client.listPendingEvents({ channelId: undefined }, done)),
    );
    assert.deepEqual(
      [failure.refusal?.reason, failure.refusal?.details["limit"]],
      ["tooLarge", String(MAX_RESPONSE_BYTES)],
    );
  });

  it("protects nothing while a channel is halted", async () => {
    await serveViews((view) => ({ ...view, halted: true }));
    const view = await call<GetChannelResponse>((done) =>
      client.getChannel({ channelId: Buffer.alloc(32) }, done),
    );
    assert.deepEqual([view.halted, view.protectedUpTo], [true, 0]);
    assert.ok((view.tip?.height ?? 0) > 0);
  });
});

const LARGE_EVENT: SealedMonitorEvent = {
  channelId: channelId("11".repeat(32)),
  eventId: eventId(1),
  header: new Uint8Array(286),
  eventHash: hash32("22".repeat(32)),
  payload: new Uint8Array(1024 * 1024),
  subjectKey: hash32("33".repeat(32)),
  createdAtMs: 0,
  signature: new Uint8Array(64),
};
