/**
 * What a link signs with the manager's key: sessions, update batches, first states, preimage records and
 * event acks (contract 2.1 to 2.3). Stored updates carry no epoch; the batch around them names the current one, so
 * the same bytes are sent again for ever and fencing still works.
 */
import { must } from "@farwatch/protocol/assert";
import type { Curve } from "@farwatch/protocol/curve/curve";
import { encodeEventAck, hashEventAck } from "@farwatch/protocol/envelope/event-ack";
import {
  encodeEventAckBatch,
  hashEventAckBatch,
} from "@farwatch/protocol/envelope/event-ack-batch";
import { encodePreimageBatch, hashPreimageBatch } from "@farwatch/protocol/envelope/preimage-batch";
import {
  encodePreimageRecord,
  hashPreimageRecord,
} from "@farwatch/protocol/envelope/preimage-record";
import { encodeSession, hashSession } from "@farwatch/protocol/envelope/session";
import { signDigest } from "@farwatch/protocol/envelope/sign";
import { encodeUpdateBatch, hashUpdateBatch } from "@farwatch/protocol/envelope/update-batch";
import type { SignedUpdateBatch } from "@farwatch/protocol/gen/monitor/v1/update";
import type {
  AckEventsRequest,
  OpenSessionRequest,
  PutPreimagesRequest,
  WatchChannelRequest,
} from "@farwatch/protocol/gen/monitor/v1/monitor_service";
import {
  sourceKey,
  type Hash32,
  type ManagerKey,
  type MonitorKey,
  type StoreId,
} from "@farwatch/protocol/ids";
import type { EventAck, StoredPreimage, StoredUpdate, StoredWatch } from "./monitor-link.js";

const AUXILIARY_BYTES = 32;

/**
 * source_key of a record whose preimage came in a step, which names no HTLC. No SHA-256 result that anyone
 * knows, and no monitor looks a source key up: a preimage opens every HTLC of its hash.
 */
export const NO_SOURCE = sourceKey("00".repeat(32));

export interface SignedPreimages {
  readonly request: PutPreimagesRequest;
  /** Of the records, in their order. */
  readonly hashes: readonly Hash32[];
}

export interface SignerOptions {
  readonly curve: Curve;
  readonly managerKey: ManagerKey;
  /** 32 bytes; never logged. */
  readonly managerSecret: Uint8Array;
  readonly epoch: bigint;
  /** 32 bytes drawn at each start of the manager. */
  readonly bootNonce: Uint8Array;
  /** Genesis block hash, internal byte order, hex. */
  readonly chainHash: string;
  readonly randomBytes: (length: number) => Uint8Array;
}

export class UpdateSigner {
  readonly #options: SignerOptions;

  constructor(options: SignerOptions) {
    this.#options = options;
  }

  /** Opens our epoch at one store of one monitor. */
  session(monitorKey: MonitorKey, storeId: StoreId): OpenSessionRequest {
    const { chainHash, managerKey, epoch, bootNonce } = this.#options;
    const body = { chainHash, managerKey, monitorKey, storeId, epoch, bootNonce };
    const header = encodeSession(body);
    return { header: buffer(header), signature: this.#sign(hashSession(header)) };
  }

  /** One signature over 1 to MAX_BATCH_UPDATES updates. */
  updates(updates: readonly StoredUpdate[]): SignedUpdateBatch {
    const header = this.#updateBatch(updates.map(({ updateHash }) => updateHash));
    return {
      header: buffer(header),
      signature: this.#sign(hashUpdateBatch(header)),
      updates: updates.map((update) => ({
        header: buffer(update.header),
        payload: buffer(update.payload),
      })),
    };
  }

  watch(watch: StoredWatch): WatchChannelRequest {
    const batch = this.#updateBatch([watch.watchHash]);
    return {
      header: buffer(watch.header),
      signature: this.#sign(hashUpdateBatch(batch)),
      payload: buffer(watch.payload),
      batchHeader: buffer(batch),
    };
  }

  /** One signature over 1 to MAX_BATCH_PREIMAGES records; also their hashes, which a receipt names. */
  preimages(records: readonly StoredPreimage[]): SignedPreimages {
    const { chainHash, managerKey, epoch } = this.#options;
    const place = { chainHash, managerKey, epoch };
    const bodies = records.map(({ channelId, paymentHash, sourceKey = NO_SOURCE }) =>
      encodePreimageRecord({ ...place, channelId, paymentHash, sourceKey }),
    );
    const hashes = bodies.map((body) => hashPreimageRecord(body));
    const header = encodePreimageBatch({ ...place, hashes });
    const request = {
      header: buffer(header),
      signature: this.#sign(hashPreimageBatch(header)),
      records: records.map(({ preimage }, index) => ({
        header: buffer(must(bodies[index], "record body")),
        preimage: buffer(preimage),
      })),
    };
    return { request, hashes };
  }

  /** One signature over 1 to MAX_BATCH_ACKS acks. */
  acks(monitorKey: MonitorKey, acks: readonly EventAck[]): AckEventsRequest {
    const { chainHash, managerKey, epoch } = this.#options;
    const bodies = acks.map((ack) =>
      encodeEventAck({ chainHash, monitorKey, epoch, outcome: "processed", ...pick(ack) }),
    );
    const hashes = bodies.map((body) => hashEventAck(body));
    const header = encodeEventAckBatch({ chainHash, managerKey, epoch, hashes });
    return {
      header: buffer(header),
      signature: this.#sign(hashEventAckBatch(header)),
      acks: bodies.map((body) => ({ header: buffer(body) })),
    };
  }

  #updateBatch(hashes: readonly Hash32[]): Uint8Array {
    must(hashes[0], "first hash of a batch");
    const { chainHash, managerKey, epoch } = this.#options;
    return encodeUpdateBatch({ chainHash, managerKey, epoch, hashes });
  }

  #sign(digest: Hash32): Buffer {
    const { curve, managerSecret, randomBytes } = this.#options;
    return buffer(signDigest(curve, managerSecret, digest, randomBytes(AUXILIARY_BYTES)));
  }
}

const pick = ({ channelId, storeId, eventId, eventHash }: EventAck) => ({
  channelId,
  storeId,
  eventId,
  eventHash,
});

/** A view: nothing here changes the bytes before they are serialized. */
const buffer = (bytes: Uint8Array): Buffer =>
  Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
