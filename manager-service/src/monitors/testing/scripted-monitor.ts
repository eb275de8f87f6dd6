/**
 * A monitor for tests of the link: a real gRPC server with mutual TLS and a real BIP340 key that keeps
 * heads in memory, verifies what it is sent, and misbehaves only where its script says so.
 */
import {
  Metadata,
  Server,
  ServerCredentials,
  status,
  type handleBidiStreamingCall,
  type handleServerStreamingCall,
  type handleUnaryCall,
  type ServerDuplexStream,
  type ServerErrorResponse,
  type ServerWritableStream,
} from "@grpc/grpc-js";
import { must } from "@farwatch/protocol/assert";
import type { BumpItem } from "@farwatch/protocol/bump";
import { toHex } from "@farwatch/protocol/bytes";
import { bumpItemToWire } from "@farwatch/protocol/convert/bump";
import {
  encodeErrorDetail,
  ERROR_TRAILER,
  refusalToDetail,
} from "@farwatch/protocol/convert/error";
import { sealedToWire } from "@farwatch/protocol/convert/event";
import { receiptBatchToWire } from "@farwatch/protocol/convert/receipt";
import {
  openEventAckBatch,
  openSession,
  openUpdateBatch,
  openWatch,
} from "@farwatch/protocol/envelope/open-manager-batch";
import { encodeReceipt, hashReceipt } from "@farwatch/protocol/envelope/receipt";
import { encodeReceiptBatch, hashReceiptBatch } from "@farwatch/protocol/envelope/receipt-batch";
import { keyOfSecret, signDigest } from "@farwatch/protocol/envelope/sign";
import { genesisHash } from "@farwatch/protocol/envelope/update";
import type { SealedMonitorEvent } from "@farwatch/protocol/event";
import * as wire from "@farwatch/protocol/gen/monitor/v1/monitor_service";
import {
  channelId,
  eventId,
  monitorKey,
  updateId,
  type ChannelId,
  type Hash32,
} from "@farwatch/protocol/ids";
import { refuse, type Refusal } from "@farwatch/protocol/reasons";
import type { LinkTls } from "../link-options.js";
import * as fixtures from "./fixtures.js";
import { ScriptedPreimages } from "./scripted-preimages.js";

type Head = { readonly id: bigint; readonly hash: Hash32 };
type UpdateStream = ServerDuplexStream<wire.UpdateChannelRequest, wire.UpdateChannelResponse>;

export interface Script {
  /** Key that signs receipts and that GetInfo names. */
  secret: Uint8Array;
  infoSecret: Uint8Array;
  refuseSession: Refusal | undefined;
  refuseUpdate: (id: bigint) => Refusal | undefined;
  refuseAcks: Refusal | undefined;
  refuseBumps: Refusal | undefined;
  ackResult: wire.AckResult;
  answerUpdates: boolean;
  /** Named in receipts instead of the update's own. */
  receiptHash: Hash32 | undefined;
  /** What GetChannel says of every channel. */
  archived: boolean;
  limits: wire.Limits | undefined;
  /** Said in GetChannel instead of the truth. */
  channel: Partial<wire.GetChannelResponse>;
}

export class ScriptedMonitor {
  readonly script: Script = {
    secret: fixtures.MONITOR_SECRET,
    infoSecret: fixtures.MONITOR_SECRET,
    refuseSession: undefined,
    refuseUpdate: () => undefined,
    refuseAcks: undefined,
    refuseBumps: undefined,
    ackResult: wire.AckResult.ACKED,
    answerUpdates: true,
    receiptHash: undefined,
    archived: false,
    limits: undefined,
    channel: {},
  };
  readonly heads = new Map<ChannelId, Head>();
  readonly epochs: bigint[] = [];
  readonly infoCalls: number[] = [];
  readonly watches: wire.WatchChannelRequest[] = [];
  readonly batches: NonNullable<wire.UpdateChannelRequest["batch"]>[] = [];
  readonly preimages = new ScriptedPreimages((id) => this.heads.has(id));
  readonly ackCalls: wire.AckEventsRequest[] = [];
  readonly broadcasts: wire.BroadcastHolderCommitmentRequest[] = [];
  readonly bumpAnswers: wire.SignBumpRequest[] = [];
  events: SealedMonitorEvent[] = [];
  /** Open at the start of every event stream. */
  bumps: BumpItem[] = [];
  readonly #streams = new Set<{ end(): void }>();
  #events: ServerWritableStream<wire.StreamEventsRequest, wire.StreamEventsResponse> | undefined;
  readonly #server = new Server();
  port = 0;

  async start(tls: LinkTls, port = 0): Promise<void> {
    this.#server.addService(wire.MonitorServiceService, {
      getInfo: this.#getInfo,
      openSession: this.#openSession,
      getChannel: this.#getChannel,
      watchChannel: this.#watchChannel,
      updateChannel: this.#updateChannel,
      streamEvents: this.#streamEvents,
      putPreimages: this.#putPreimages,
      ackEvents: this.#ackEvents,
      broadcastHolderCommitment: this.#broadcast,
      signBump: this.#signBump,
    });
    const pair = { private_key: tls.key, cert_chain: tls.cert };
    const secure = ServerCredentials.createSsl(tls.ca, [pair], true);
    this.port = await new Promise((resolve, reject) => {
      this.#server.bindAsync(`127.0.0.1:${port}`, secure, (error, bound) => {
        if (error === null) resolve(bound);
        else reject(error);
      });
    });
  }

  stop(): void {
    this.#server.forceShutdown();
  }
  /** Ends every stream, as a monitor that restarts would. */
  endStreams(): void {
    for (const stream of this.#streams) stream.end();
    this.#streams.clear();
  }
  /** Says it on the newest event stream. */
  sendBump(request: wire.BumpRequestItem): void {
    this.#events?.write({ item: { $case: "bumpRequest", value: request } });
  }
  /** The ids in each batch received. */
  batchIds(): readonly (readonly number[])[] {
    return this.batches.map(({ updates }) =>
      updates.map(({ header }) => Number(header.readBigUInt64BE(UPDATE_ID_OFFSET))),
    );
  }

  readonly #own = {
    monitorKey: fixtures.MONITOR_KEY,
    storeId: fixtures.STORE_ID,
    chainHash: fixtures.CHAIN,
  };
  readonly #who = { managerKey: fixtures.MANAGER_KEY, chainHash: fixtures.CHAIN };

  readonly #getInfo: handleUnaryCall<wire.GetInfoRequest, wire.GetInfoResponse> = (_, done) => {
    this.infoCalls.push(Date.now());
    const response = wire.GetInfoResponse.create({
      chainHash: fixtures.bytesOf(fixtures.CHAIN),
      monitorKey: fixtures.bytesOf(keyOfSecret(fixtures.CURVE, this.script.infoSecret)),
      storeId: fixtures.bytesOf(fixtures.STORE_ID),
      tip: { height: fixtures.TIP.height, blockHash: Buffer.alloc(32, 0x0c) },
    });
    done(null, response);
  };

  readonly #openSession: handleUnaryCall<wire.OpenSessionRequest, wire.OpenSessionResponse> = (
    { request },
    done,
  ) => {
    const opened = openSession(fixtures.CURVE, this.#who, this.#own, request);
    const refusal = opened.ok ? this.script.refuseSession : opened.error;
    if (refusal !== undefined || !opened.ok) return done(asError(must(refusal, "refusal")));
    const { epoch } = opened.value.header;
    this.epochs.push(epoch);
    const response = wire.OpenSessionResponse.create({
      monitorKey: fixtures.bytesOf(fixtures.MONITOR_KEY),
      storeId: fixtures.bytesOf(fixtures.STORE_ID),
      epoch,
      ...(this.script.limits === undefined ? {} : { limits: this.script.limits }),
    });
    done(null, response);
  };

  readonly #getChannel: handleUnaryCall<wire.GetChannelRequest, wire.GetChannelResponse> = (
    { request },
    done,
  ) => {
    const id = channelId(toHex(request.channelId));
    const head = this.heads.get(id);
    if (head === undefined) return done(asError(refuse("channelUnknown", "not watched")));
    const response = wire.GetChannelResponse.create({
      channelId: request.channelId,
      latestUpdateId: head.id,
      latestUpdateHash: fixtures.bytesOf(head.hash),
      preimagesKnown: [...this.preimages.known].map(fixtures.bytesOf),
      archival: wire.Archival.create({ archived: this.script.archived }),
      ...eventCursors(this.events.filter((event) => event.channelId === id)),
      ...this.script.channel,
    });
    done(null, response);
  };

  readonly #watchChannel: handleUnaryCall<wire.WatchChannelRequest, wire.WatchChannelResponse> = (
    { request },
    done,
  ) => {
    this.watches.push(request);
    const { header, payload, batchHeader, signature } = request;
    const batch = { header: batchHeader, signature };
    const opened = openWatch(fixtures.CURVE, this.#who, { batch, header, payload });
    if (!opened.ok) return done(asError(opened.error));
    const watch = opened.value.header;
    const head = {
      id: watch.firstUpdateId - 1n,
      hash: genesisHash({ ...watch, initialStateSha256: watch.payloadSha256 }),
    };
    if (!this.heads.has(watch.channelId)) this.heads.set(watch.channelId, head);
    done(null, { receipts: this.receipts([{ channelId: watch.channelId, ...head }]) });
  };

  readonly #updateChannel: handleBidiStreamingCall<
    wire.UpdateChannelRequest,
    wire.UpdateChannelResponse
  > = (call) => {
    this.#streams.add(call);
    call.on("data", ({ batch }: wire.UpdateChannelRequest) => {
      const received = must(batch, "batch");
      this.batches.push(received);
      if (this.script.answerUpdates) this.#answer(call, received);
    });
    call.on("end", () => call.end());
    call.on("error", () => this.#streams.delete(call));
  };

  #answer(call: UpdateStream, batch: NonNullable<wire.UpdateChannelRequest["batch"]>): void {
    const opened = openUpdateBatch(fixtures.CURVE, this.#who, batch);
    if (!opened.ok) return void call.emit("error", asError(opened.error));
    const done: ({ channelId: ChannelId } & Head)[] = [];
    const refused: wire.UpdateRefused[] = [];
    for (const item of opened.value.items) {
      if (!item.ok) return void call.emit("error", asError(item.error));
      const { header, hash } = item.value;
      const refusal = this.#place(header.channelId, header.updateId, hash);
      const id = { channelId: header.channelId, id: header.updateId, hash };
      if (refusal === undefined) done.push(id);
      else {
        const channel = fixtures.bytesOf(header.channelId);
        const error = refusalToDetail(refusal);
        refused.push({ channelId: channel, updateId: header.updateId, error });
      }
    }
    call.write({ receipts: done.length === 0 ? undefined : this.receipts(done), refused });
  }

  #place(id: ChannelId, update: bigint, hash: Hash32): Refusal | undefined {
    const head = must(this.heads.get(id), "watched channel");
    const scripted = this.script.refuseUpdate(update);
    if (scripted !== undefined) return scripted;
    if (update > head.id + 1n) return refuse("updateGap", "gap");
    if (update === head.id && hash !== head.hash) return refuse("updateConflict", "conflict");
    if (update === head.id + 1n) this.heads.set(id, { id: update, hash });
    return undefined;
  }

  receipts(done: readonly ({ channelId: ChannelId } & Head)[]): wire.ReceiptBatch {
    const key = monitorKey(keyOfSecret(fixtures.CURVE, this.script.infoSecret));
    const place = { chainHash: fixtures.CHAIN, monitorKey: key, storeId: fixtures.STORE_ID };
    const items = done.map(({ channelId: channel, id, hash }) => {
      const fields = {
        channelId: channel,
        updateId: updateId(id),
        updateHash: this.script.receiptHash ?? hash,
        status: "persisted" as const,
        eventWatermark: eventId(0),
      };
      const header = encodeReceipt({
        ...place,
        ...fields,
        storeGen: 1n,
        setNo: 1,
        tip: fixtures.TIP,
      });
      return { ...fields, header };
    });
    const hashes = items.map(({ header }) => hashReceipt(header));
    const header = encodeReceiptBatch({ ...place, hashes });
    const digest = hashReceiptBatch(header);
    const { secret } = this.script;
    const signature = signDigest(fixtures.CURVE, secret, digest, fixtures.AUXILIARY);
    return receiptBatchToWire({ header, signature, receipts: items });
  }

  readonly #streamEvents: handleServerStreamingCall<
    wire.StreamEventsRequest,
    wire.StreamEventsResponse
  > = (call: ServerWritableStream<wire.StreamEventsRequest, wire.StreamEventsResponse>) => {
    this.#streams.add(call);
    call.on("error", () => this.#streams.delete(call));
    for (const event of this.events) {
      call.write({ item: { $case: "event", value: sealedToWire(event) } });
    }
    this.#events = call;
    for (const bump of this.bumps) this.sendBump(bumpItemToWire(bump));
    const replayed = BigInt(this.events.length);
    call.write({ item: { $case: "endOfReplay", value: { replayed } } });
  };

  readonly #putPreimages: handleUnaryCall<wire.PutPreimagesRequest, wire.PutPreimagesResponse> = (
    { request },
    done,
  ) => {
    const failed = (error: unknown): void =>
      done(asError(refuse("assertion", error instanceof Error ? error.message : "failed")));
    void this.preimages
      .put(request)
      .then(
        (answer) => (answer.ok ? done(null, answer.value) : done(asError(answer.error))),
        failed,
      );
  };

  readonly #ackEvents: handleUnaryCall<wire.AckEventsRequest, wire.AckEventsResponse> = (
    { request },
    done,
  ) => {
    this.ackCalls.push(request);
    const { header, signature } = request;
    const acks = request.acks.map((ack) => ack.header);
    const signed = { header, signature, acks };
    const opened = openEventAckBatch(fixtures.CURVE, this.#who, this.#own, signed);
    const refusal = opened.ok ? this.script.refuseAcks : opened.error;
    if (refusal !== undefined) return done(asError(refusal));
    done(null, { results: acks.map(() => this.script.ackResult) });
  };

  readonly #signBump: handleUnaryCall<wire.SignBumpRequest, wire.SignBumpResponse> = (
    { request },
    done,
  ) => {
    this.bumpAnswers.push(request);
    const { refuseBumps } = this.script;
    if (refuseBumps !== undefined) return done(asError(refuseBumps));
    done(null, { txid: Buffer.from([2, ...new Uint8Array(31)]) });
  };

  readonly #broadcast: handleUnaryCall<
    wire.BroadcastHolderCommitmentRequest,
    wire.BroadcastHolderCommitmentResponse
  > = ({ request }, done) => {
    this.broadcasts.push(request);
    if (!request.overrideStale) return done(asError(refuse("staleSuspected", "maybe stale")));
    done(null, { commitmentTxid: Buffer.from([1, ...new Uint8Array(31)]) });
  };
}

/** Of a monitor that was never acked any event. */
function eventCursors(events: readonly SealedMonitorEvent[]) {
  const unackedEventIds = events.map((event): bigint => event.eventId);
  const nextEventId = unackedEventIds.reduce((high, id) => (id > high ? id : high), 0n) + 1n;
  return { nextEventId, unackedEventIds };
}

/** Where update_id stands in farwatch/update/v1, as its layout says. */
const UPDATE_ID_OFFSET = 2 + 32 + 32 + 34 + 32 + 4;

export function asError(refusal: Refusal): ServerErrorResponse {
  const metadata = new Metadata();
  metadata.set(ERROR_TRAILER, Buffer.from(encodeErrorDetail(refusal)));
  const code = status.FAILED_PRECONDITION;
  return Object.assign(new Error(refusal.message), { code, metadata });
}
