/**
 * A manager-service for tests of RemoteWatch: a real gRPC server that keeps LDK's bytes in memory, holds to the
 * contract (same id, same bytes: answered again; other bytes or a gap: refused) and answers late, loses
 * connections or refuses only where a test says so.
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
import { equalBytes, fromHex, toHex } from "@farwatch/protocol/bytes";
import {
  encodeErrorDetail,
  ERROR_TRAILER,
  refusalToDetail,
} from "@farwatch/protocol/convert/error";
import { decodeEventPayload } from "@farwatch/protocol/convert/event";
import type { Item } from "@farwatch/protocol/gen/manager/v1/event";
import * as wire from "@farwatch/protocol/gen/manager/v1/manager_service";
import { channelId, type ChannelId } from "@farwatch/protocol/ids";
import { firstChannelId } from "@farwatch/protocol/ldk/convert/source";
import { decodeChannelMonitor } from "@farwatch/protocol/ldk/monitor";
import { refuse, type Refusal } from "@farwatch/protocol/reasons";

type Updates = ServerDuplexStream<wire.UpdateChannelRequest, wire.UpdateChannelResponse>;
type Items = ServerWritableStream<wire.SubscribeRequest, wire.SubscribeResponse>;

export interface HeldChannel {
  readonly base: Uint8Array;
  readonly baseId: bigint;
  /** From baseId + 1. */
  readonly updates: Uint8Array[];
  durableId: bigint | undefined;
  closed: boolean;
  unresolvedHtlcs: number;
  readonly handled: Item[];
  readonly checkpoints: { readonly updateId: bigint; readonly monitor: Uint8Array }[];
}

export class ScriptedManager {
  readonly channels = new Map<ChannelId, HeldChannel>();
  readonly items = new Map<bigint, Item>();
  readonly done: bigint[] = [];
  readonly sessions: wire.OpenNodeSessionRequest[] = [];
  /** Every update that came, repeats included. */
  readonly received: { readonly channelId: ChannelId; readonly updateId: bigint }[] = [];
  /** Ids that came again with the same bytes. */
  repeats = 0;
  /** Nothing becomes durable until `complete`. */
  holdsCompletions = false;
  /** Updates arrive and are not stored, as when the machine dies. */
  isDeaf = false;
  refusesSession: Refusal | undefined;
  refusesUpdate: (id: ChannelId, updateId: bigint) => Refusal | undefined = () => undefined;
  refusesWatch: Refusal | undefined;
  /** Watermark of the Completed of an update; 0 by default. */
  watermark: (id: ChannelId, updateId: bigint) => bigint = () => 0n;
  /** Called with every update that was accepted for the first time, and with every first monitor. */
  onAccepted: (id: ChannelId, updateId: bigint, bytes: Uint8Array) => void = () => undefined;
  #server = new Server();
  #updates: Updates | undefined;
  #subscription: Items | undefined;
  #nextItem = 1n;
  port = 0;

  get address(): string {
    return `localhost:${this.port}`;
  }

  async start(port = 0): Promise<void> {
    this.#server = new Server();
    this.#server.addService(wire.ManagerServiceService, {
      openNodeSession: this.#openNodeSession,
      watchChannel: this.#watchChannel,
      updateChannel: this.#updateChannel,
      subscribe: this.#subscribe,
      done: this.#done,
      getLdkMonitor: this.#getLdkMonitor,
      putLdkCheckpoint: this.#putLdkCheckpoint,
    });
    this.port = await new Promise<number>((resolve, reject) => {
      const insecure = ServerCredentials.createInsecure();
      this.#server.bindAsync(`127.0.0.1:${port}`, insecure, (error, bound) =>
        error === null ? resolve(bound) : reject(error),
      );
    });
  }

  /** Connections break; what is held stays. */
  stop(): void {
    this.#server.forceShutdown();
    this.#updates = undefined;
    this.#subscription = undefined;
  }

  /** Everything accepted becomes durable. */
  complete(): void {
    for (const [id, held] of this.channels) this.#complete(id, held);
  }

  /** A new item; it is replayed until it is done. */
  tell(item: Item["item"]): bigint {
    const itemId = this.#nextItem;
    this.#nextItem += 1n;
    const made = { itemId, semanticKey: `key/${itemId}`, createdAtMs: 0n, item };
    this.items.set(itemId, made);
    this.#subscription?.write({ item: { $case: "event", value: made } });
    return itemId;
  }

  /** A level-triggered item: it has no id and is not replayed. */
  tellLevel(item: Item["item"]): void {
    const value = { itemId: 0n, semanticKey: "level", createdAtMs: 0n, item };
    this.#subscription?.write({ item: { $case: "event", value } });
  }

  endSubscription(): void {
    this.#subscription?.end();
  }

  acceptedId({ baseId, updates }: HeldChannel): bigint {
    return baseId + BigInt(updates.length);
  }

  #complete(id: ChannelId, held: HeldChannel): void {
    const updateId = this.acceptedId(held);
    held.durableId = updateId;
    this.#tellCompleted(id, held);
  }

  #tellCompleted(id: ChannelId, { durableId: updateId, closed }: HeldChannel): void {
    if (updateId === undefined) return;
    const itemWatermark = this.watermark(id, updateId);
    const value = { channelId: bytesOf(id), updateId, eventWatermark: 0n, closed, itemWatermark };
    this.#updates?.write({ item: { $case: "completed", value } });
  }

  readonly #openNodeSession: handleUnaryCall<
    wire.OpenNodeSessionRequest,
    wire.OpenNodeSessionResponse
  > = ({ request }, answer) => {
    this.sessions.push(request);
    if (this.refusesSession !== undefined) return answer(statusOf(this.refusesSession));
    const channels = [...this.channels].map(([id, held]) => ({
      channelId: bytesOf(id),
      acceptedId: this.acceptedId(held),
      durableId: held.durableId ?? 0n,
      headHash: Buffer.alloc(32),
      verdict: wire.Verdict.IN_SYNC,
      behindBy: 0n,
    }));
    answer(null, { sessionId: Buffer.alloc(16, 7), channels, ownedInbound: [] });
  };

  readonly #watchChannel: handleUnaryCall<wire.WatchChannelRequest, wire.WatchChannelResponse> = (
    { request },
    answer,
  ) => {
    if (this.refusesWatch !== undefined) return answer(statusOf(this.refusesWatch));
    const bytes = Uint8Array.from(request.ldkMonitor ?? []);
    const decoded = decodeChannelMonitor(bytes);
    if (!decoded.ok) return answer(statusOf(refuse("malformed", "not a ChannelMonitor")));
    const id = firstChannelId(decoded.value.funding);
    const baseId = decoded.value.latestUpdateId;
    const known = this.channels.get(id);
    if (known !== undefined && !equalBytes(known.base, bytes)) {
      return answer(statusOf(refuse("alreadyWatched", "another first state")));
    }
    const held = known ?? this.#newChannel(bytes, baseId);
    this.channels.set(id, held);
    if (known === undefined) this.onAccepted(id, baseId, bytes);
    if (!this.holdsCompletions) held.durableId ??= baseId;
    answer(null, {
      acceptedId: this.acceptedId(held),
      headHash: Buffer.alloc(32),
      completed: held.durableId !== undefined,
    });
  };

  #newChannel(base: Uint8Array, baseId: bigint): HeldChannel {
    return {
      base,
      baseId,
      updates: [],
      durableId: undefined,
      closed: false,
      unresolvedHtlcs: 0,
      handled: [],
      checkpoints: [],
    };
  }

  readonly #updateChannel: handleBidiStreamingCall<
    wire.UpdateChannelRequest,
    wire.UpdateChannelResponse
  > = (call) => {
    this.#updates = call;
    for (const [id, held] of this.channels) this.#tellCompleted(id, held);
    call.on("data", (request: wire.UpdateChannelRequest) => this.#update(call, request));
    call.on("end", () => call.end());
  };

  #update(call: Updates, { channelId: raw, updateId, payload }: wire.UpdateChannelRequest): void {
    if (this.isDeaf) return;
    const id = channelId(toHex(raw));
    this.received.push({ channelId: id, updateId });
    const bytes = Uint8Array.from(payload?.value ?? []);
    const refusal = this.refusesUpdate(id, updateId) ?? this.#store(id, updateId, bytes);
    if (refusal !== undefined) {
      const value = {
        channelId: raw,
        updateId,
        error: refusalToDetail(refusal),
        expectedUpdateId: 0n,
      };
      call.write({ item: { $case: "refused", value } });
      return;
    }
    call.write({
      item: {
        $case: "accepted",
        value: { channelId: raw, updateId, updateHash: Buffer.alloc(32) },
      },
    });
    const held = this.channels.get(id);
    if (held !== undefined && !this.holdsCompletions) this.#complete(id, held);
  }

  #store(id: ChannelId, updateId: bigint, bytes: Uint8Array): Refusal | undefined {
    const held = this.channels.get(id);
    if (held === undefined) return refuse("channelUnknown", "not watched");
    const known = held.updates[Number(updateId - held.baseId) - 1];
    if (known !== undefined) {
      this.repeats += 1;
      return equalBytes(known, bytes) ? undefined : refuse("updateConflict", "other bytes");
    }
    if (updateId !== this.acceptedId(held) + 1n) return refuse("updateGap", "a gap");
    held.updates.push(bytes);
    this.onAccepted(id, updateId, bytes);
    return undefined;
  }

  readonly #subscribe: handleServerStreamingCall<wire.SubscribeRequest, wire.SubscribeResponse> = (
    call,
  ) => {
    this.#subscription = call;
    for (const value of this.items.values()) call.write({ item: { $case: "event", value } });
    const value = {
      replayed: BigInt(this.items.size),
      bumpsKnownOf: [],
      lastItemId: this.#nextItem - 1n,
    };
    call.write({ item: { $case: "replayDone", value } });
  };

  readonly #done: handleUnaryCall<wire.DoneRequest, wire.DoneResponse> = ({ request }, answer) => {
    for (const { itemId } of request.items) {
      const item = this.items.get(itemId);
      if (item?.item?.$case === "monitorEvent" && isHtlcEvent(item.item.value.payload)) {
        this.channels.get(channelId(toHex(item.item.value.channelId)))?.handled.push(item);
      }
      this.items.delete(itemId);
      this.done.push(itemId);
    }
    answer(null, { unknownItems: [] });
  };

  readonly #getLdkMonitor: handleServerStreamingCall<
    wire.GetLdkMonitorRequest,
    wire.GetLdkMonitorResponse
  > = (call) => {
    const held = this.channels.get(channelId(toHex(call.request.channelId)));
    if (held === undefined) {
      call.emit("error", statusOf(refuse("channelUnknown", "not watched")));
      return;
    }
    const { told } = call.request;
    const checkpoint = held.checkpoints.findLast(({ updateId }) => updateId <= told);
    const from = checkpoint?.updateId ?? held.baseId;
    const start = {
      monitor: Buffer.from(checkpoint?.monitor ?? held.base),
      updateId: from,
      acceptedId: this.acceptedId(held),
      durableId: held.durableId ?? 0n,
      closed: held.closed,
      unresolvedHtlcs: held.unresolvedHtlcs,
      handledHtlcEvents: held.handled,
    };
    call.write({ part: { $case: "start", value: start } });
    for (let id = from + 1n; id <= told; id++) {
      const bytes = held.updates[Number(id - held.baseId) - 1];
      if (bytes === undefined) break;
      const value = { updates: [Buffer.from(bytes)] };
      call.write({ part: { $case: "updates", value } });
    }
    call.end();
  };

  readonly #putLdkCheckpoint: handleUnaryCall<
    wire.PutLdkCheckpointRequest,
    wire.PutLdkCheckpointResponse
  > = ({ request }, answer) => {
    const held = this.channels.get(channelId(toHex(request.channelId)));
    if (held === undefined) return answer(statusOf(refuse("channelUnknown", "not watched")));
    const { updateId } = request;
    held.checkpoints.push({ updateId, monitor: Uint8Array.from(request.monitor) });
    answer(null, {});
  };
}

function isHtlcEvent(payload: Uint8Array): boolean {
  const decoded = decodeEventPayload(payload);
  return decoded.ok && decoded.value.body.kind === "htlcEvent";
}

const bytesOf = (id: ChannelId): Buffer => Buffer.from(fromHex(id));

function statusOf(refusal: Refusal): ServerErrorResponse {
  const metadata = new Metadata();
  metadata.set(ERROR_TRAILER, Buffer.from(encodeErrorDetail(refusal)));
  const code = status.FAILED_PRECONDITION;
  return Object.assign(new Error(refusal.message), {
    name: "Refused",
    code,
    details: refusal.message,
    metadata,
  });
}
