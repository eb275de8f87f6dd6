/**
 * A manager as a monitor sees it: signs sessions, watches, updates, preimages and acks, and keeps the
 * chain of updates of each channel. Tests tamper with what it makes.
 */
import { randomBytes } from "node:crypto";
import { must } from "@farwatch/protocol/assert";
import { toHex } from "@farwatch/protocol/bytes";
import type { InitialState, PenaltyOnlyChannel } from "@farwatch/protocol/channel";
import { encodeInitialState as encodePayload } from "@farwatch/protocol/convert/channel";
import { encodePenaltyOnly, penaltyOnlyFunding } from "@farwatch/protocol/convert/penalty-only";
import { encodeUpdatePayload } from "@farwatch/protocol/convert/update";
import type { Curve } from "@farwatch/protocol/curve/curve";
import { encodeEventAck, hashEventAck } from "@farwatch/protocol/envelope/event-ack";
import {
  encodeEventAckBatch,
  hashEventAckBatch,
} from "@farwatch/protocol/envelope/event-ack-batch";
import { encodeInitialState, hashInitialState } from "@farwatch/protocol/envelope/initial-state";
import { encodePreimageBatch, hashPreimageBatch } from "@farwatch/protocol/envelope/preimage-batch";
import {
  encodePreimageRecord,
  hashPreimageRecord,
} from "@farwatch/protocol/envelope/preimage-record";
import { encodeSession, hashSession } from "@farwatch/protocol/envelope/session";
import { keyOfSecret, signDigest } from "@farwatch/protocol/envelope/sign";
import {
  digestPayload,
  encodeUpdate,
  genesisHash,
  hashUpdate,
  type UpdateHeader,
} from "@farwatch/protocol/envelope/update";
import { encodeUpdateBatch, hashUpdateBatch } from "@farwatch/protocol/envelope/update-batch";
import type { SealedMonitorEvent } from "@farwatch/protocol/event";
import {
  hashOfPreimage,
  managerKey,
  sourceKey,
  updateId,
  type ChannelId,
  type Hash32,
  type ManagerKey,
  type Outpoint,
  type Preimage,
} from "@farwatch/protocol/ids";
import type { UpdateStep } from "@farwatch/protocol/update";
import type {
  AckBatch,
  HostInfo,
  PreimageBatch,
  Principal,
  SignedHeader,
  SignedPayload,
  UpdateBatch,
  WatchRequest,
} from "@farwatch/monitor-service/runtime/monitor-host";
import { REGTEST_CHAIN_HASH } from "../../harness/channel/setup.js";

interface Head {
  readonly funding: Outpoint;
  readonly id: bigint;
  readonly hash: Hash32;
}

const MEMBER_SET = 1;
type Addressee = Pick<HostInfo, "monitorKey" | "storeId"> & Partial<HostInfo>;

export class TestManager {
  readonly key: ManagerKey;
  epoch = 1n;
  readonly heads = new Map<ChannelId, Head>();
  readonly #curve: Curve;
  readonly #secret: Uint8Array;

  /** A small number stands for a secret of 32 such bytes. */
  constructor(curve: Curve, secret: number | Uint8Array = 7) {
    this.#curve = curve;
    this.#secret = typeof secret === "number" ? new Uint8Array(32).fill(secret) : secret;
    this.key = managerKey(keyOfSecret(curve, this.#secret));
  }

  get who(): Principal {
    return { name: `manager ${this.key.slice(0, 8)}`, managerKey: this.key, admin: true };
  }

  get #named() {
    return { chainHash: REGTEST_CHAIN_HASH, managerKey: this.key };
  }

  #sign(digest: Hash32): Uint8Array {
    return signDigest(this.#curve, this.#secret, digest, Uint8Array.from(randomBytes(32)));
  }

  session(to: Addressee, epoch = this.epoch, nonce = 1): SignedHeader {
    const { monitorKey, storeId } = to;
    const bootNonce = new Uint8Array(32).fill(nonce);
    const header = encodeSession({ ...this.#named, monitorKey, storeId, epoch, bootNonce });
    return { header, signature: this.#sign(hashSession(header)) };
  }

  /** Also starts the channel's chain of updates. */
  watch(initial: InitialState, firstUpdateId = 1n): WatchRequest {
    return this.#watchOf(initial.parameters, encodePayload(initial), firstUpdateId);
  }

  /** Of a penalty-only channel. */
  watchPenalties(channel: PenaltyOnlyChannel, firstUpdateId = 1n): WatchRequest {
    const { channelId } = channel;
    const named = { channelId, funding: penaltyOnlyFunding(channelId) };
    return this.#watchOf(named, encodePenaltyOnly(channel), firstUpdateId);
  }

  #watchOf(
    { channelId, funding }: { readonly channelId: ChannelId; readonly funding: Outpoint },
    payload: Uint8Array,
    firstUpdateId: bigint,
  ): WatchRequest {
    const header = encodeInitialState({
      ...this.#named,
      ...digestPayload(payload),
      channelId,
      funding,
      setNo: MEMBER_SET,
      firstUpdateId: updateId(firstUpdateId),
    });
    const hash = genesisHash({
      chainHash: REGTEST_CHAIN_HASH,
      channelId,
      funding,
      initialStateSha256: digestPayload(payload).payloadSha256,
    });
    this.heads.set(channelId, { funding, id: firstUpdateId - 1n, hash });
    return { batch: this.updateBatch([hashInitialState(header)]), header, payload };
  }

  /** The channel's next update; `tamper` changes its header before it is hashed. */
  update(
    channelId: ChannelId,
    steps: readonly UpdateStep[],
    tamper: Partial<UpdateHeader> = {},
  ): SignedPayload {
    return this.payloadUpdate(channelId, encodeUpdatePayload(steps), tamper);
  }

  payloadUpdate(
    channelId: ChannelId,
    payload: Uint8Array,
    tamper: Partial<UpdateHeader> = {},
  ): SignedPayload {
    const head = must(this.heads.get(channelId), "a watched channel");
    const header = encodeUpdate({
      ...this.#named,
      ...digestPayload(payload),
      channelId,
      funding: head.funding,
      setNo: MEMBER_SET,
      updateId: updateId(head.id + 1n),
      prevHash: head.hash,
      payloadType: "typedSteps",
      ...tamper,
    });
    this.heads.set(channelId, { ...head, id: head.id + 1n, hash: hashUpdate(header) });
    return { header, payload };
  }

  updateBatch(hashes: readonly Hash32[]): SignedHeader {
    const header = encodeUpdateBatch({ ...this.#named, epoch: this.epoch, hashes });
    return { header, signature: this.#sign(hashUpdateBatch(header)) };
  }

  batch(...updates: readonly SignedPayload[]): UpdateBatch {
    return { ...this.updateBatch(updates.map(({ header }) => hashUpdate(header))), updates };
  }

  preimages(
    ...records: readonly { readonly channelId: ChannelId; readonly preimage: Preimage }[]
  ): PreimageBatch {
    const made = records.map(({ channelId, preimage }) => ({
      preimage,
      header: encodePreimageRecord({
        ...this.#named,
        channelId,
        epoch: this.epoch,
        paymentHash: hashOfPreimage(preimage),
        sourceKey: sourceKey(toHex(new Uint8Array(32).fill(9))),
      }),
    }));
    const hashes = made.map(({ header }) => hashPreimageRecord(header));
    const header = encodePreimageBatch({ ...this.#named, epoch: this.epoch, hashes });
    return { header, signature: this.#sign(hashPreimageBatch(header)), records: made };
  }

  acks(to: Addressee, ...events: readonly AckedEvent[]): AckBatch {
    const { monitorKey, storeId } = to;
    const acks = events.map(({ channelId, eventId, eventHash }) =>
      encodeEventAck({
        chainHash: REGTEST_CHAIN_HASH,
        monitorKey,
        storeId,
        channelId,
        epoch: this.epoch,
        eventId,
        eventHash,
        outcome: "processed",
      }),
    );
    const hashes = acks.map(hashEventAck);
    const header = encodeEventAckBatch({ ...this.#named, epoch: this.epoch, hashes });
    return { header, signature: this.#sign(hashEventAckBatch(header)), acks };
  }
}

export type AckedEvent = Pick<SealedMonitorEvent, "channelId" | "eventId" | "eventHash">;
