/** Keys, a channel with a chain of updates, and signed events, with the real layouts and hashes. */
import { blockHash, blockHeight } from "@farwatch/protocol/block";
import { fromHex, utf8 } from "@farwatch/protocol/bytes";
import { nobleCurve } from "@farwatch/protocol/curve/noble-curve";
import { encodeEventPayload } from "@farwatch/protocol/convert/event";
import { encodeEvent, FIRST_EVENT_PREV_HASH, hashEvent } from "@farwatch/protocol/envelope/event";
import { encodeInitialState, hashInitialState } from "@farwatch/protocol/envelope/initial-state";
import { keyOfSecret, signDigest } from "@farwatch/protocol/envelope/sign";
import { sha256Hash } from "@farwatch/protocol/envelope/tagged-hash";
import {
  digestPayload,
  encodeUpdate,
  genesisHash,
  hashUpdate,
} from "@farwatch/protocol/envelope/update";
import type { SealedMonitorEvent } from "@farwatch/protocol/event";
import {
  channelId,
  eventId,
  hash32,
  managerKey,
  monitorKey,
  storeId,
  txid,
  updateId,
  type Hash32,
} from "@farwatch/protocol/ids";
import type { StoredUpdate, StoredWatch } from "../monitor-link.js";

export const CHAIN = "06".repeat(32);
export const CURVE = nobleCurve;
export const MANAGER_SECRET = new Uint8Array(32).fill(7);
export const MONITOR_SECRET = new Uint8Array(32).fill(9);
export const OTHER_SECRET = new Uint8Array(32).fill(11);
export const MANAGER_KEY = managerKey(keyOfSecret(CURVE, MANAGER_SECRET));
export const MONITOR_KEY = monitorKey(keyOfSecret(CURVE, MONITOR_SECRET));
export const STORE_ID = storeId("5a".repeat(16));
export const AUXILIARY = new Uint8Array(32).fill(3);
export const TIP = { height: blockHeight(800), hash: blockHash("0c".repeat(32)) };

const FUNDING = { txid: txid("0d".repeat(32)), vout: 1 };
const SET_NO = 1;

export interface TestChannel {
  readonly watch: StoredWatch;
  readonly genesis: Hash32;
  /** From id 1. */
  readonly updates: readonly StoredUpdate[];
}

/** `flavour` changes every payload: another history of the same channel. */
export function testChannel(number: number, count: number, flavour = "a"): TestChannel {
  const id = channelId(number.toString(16).padStart(2, "0").repeat(32));
  const statePayload = utf8(`state of ${number}`);
  const state = digestPayload(statePayload);
  const place = { chainHash: CHAIN, channelId: id, funding: FUNDING };
  const common = { ...place, managerKey: MANAGER_KEY, setNo: SET_NO };
  const header = encodeInitialState({ ...common, firstUpdateId: updateId(1), ...state });
  const genesis = genesisHash({ ...place, initialStateSha256: state.payloadSha256 });
  const updates: StoredUpdate[] = [];
  for (let n = 1; n <= count; n++) {
    const payload = utf8(`update ${n} ${flavour}`);
    const body = encodeUpdate({
      ...common,
      updateId: updateId(n),
      prevHash: updates.at(-1)?.updateHash ?? genesis,
      payloadType: "typedSteps",
      ...digestPayload(payload),
    });
    const updateHash = hashUpdate(body);
    updates.push({ channelId: id, updateId: updateId(n), updateHash, header: body, payload });
  }
  const watchHash = hashInitialState(header);
  const watch = { channelId: id, firstUpdateId: updateId(1), watchHash, header };
  return { watch: { ...watch, payload: statePayload }, genesis, updates };
}

/** A discardFunding event of a channel, signed with `secret`. */
export function testEvent(
  channel: TestChannel,
  number: number,
  secret: Uint8Array = MONITOR_SECRET,
): SealedMonitorEvent {
  const payload = encodeEventPayload({
    body: { kind: "discardFunding", funding: FUNDING },
    origin: { kind: "block", block: TIP },
  });
  const id = channel.watch.channelId;
  const subjectKey = hash32(number.toString(16).padStart(2, "0").repeat(32));
  const header = encodeEvent({
    chainHash: CHAIN,
    monitorKey: MONITOR_KEY,
    storeId: STORE_ID,
    channelId: id,
    eventId: eventId(number),
    prevEventHash: FIRST_EVENT_PREV_HASH,
    key: subjectKey,
    contentSha256: sha256Hash(payload),
    causeTxid: undefined,
    causeBlock: TIP,
  });
  const eventHash = hashEvent(header);
  const signature = signDigest(CURVE, secret, eventHash, AUXILIARY);
  const fields = { channelId: id, eventId: eventId(number), header, eventHash, payload };
  return { ...fields, subjectKey, createdAtMs: 1, signature };
}

export const bytesOf = (hex: string): Buffer => Buffer.from(fromHex(hex));
