/**
 * LDK objects as JSON: every public field by its name, u64 as decimal strings, bytes as hex, txids in
 * display order, and beside an event or a descriptor its exact serialization. Kinds the bindings wrap
 * awkwardly are in describe-parts.ts.
 */
import { reversed, toHex } from "@farwatch/protocol/bytes";
import type { Balance, Event, MonitorEvent } from "lightningdevkit";
import type { Json, JsonObject } from "./json.js";
import { ldk } from "./module.js";
import { isNull, isOf, type ClassOf } from "./result.js";
import * as parts from "./describe-parts.js";

/** Fields of the wrapper itself. */
const WRAPPER_FIELDS = new Set(["ptr", "ptrs_to", "bindings_instance", "instance_idx"]);
/** Deeper fields would only repeat what the serialization beside them says. */
const MAX_DEPTH = 4;

type Describer = (value: object, depth: number) => Json | undefined;

function on<T extends object>(kind: ClassOf<T>, describe: (value: T, depth: number) => Json) {
  return (value: object, depth: number): Json | undefined =>
    isOf(kind, value) ? describe(value, depth) : undefined;
}

/** Variants of a Rust enum are named by the variant alone. */
const variant =
  (prefix: string) =>
  (value: object, depth: number): JsonObject =>
    fieldsOf(value, depth, value.constructor.name.replace(prefix, ""));

const written = (value: object): Json => {
  const write: unknown = Reflect.get(value, "write");
  if (typeof write !== "function") return null;
  const bytes: unknown = Reflect.apply(write, value, []);
  return bytes instanceof Uint8Array ? { hex: toHex(bytes) } : null;
};

let describers: readonly Describer[] | undefined;

/** Built at first use: the package's classes are there before, their module is not initialized. */
function allDescribers(): readonly Describer[] {
  describers ??= [
    on(ldk.OutPoint, parts.outpoint),
    on(ldk.ChannelId, (id) => toHex(id.get_a())),
    on(ldk.TxOut, (out) => ({ value: String(out.value), script: toHex(out.script_pubkey) })),
    on(ldk.HTLCUpdate, parts.htlcUpdate),
    on(ldk.ClosureReason, (reason) => ({
      reason: reason.constructor.name.replace("ClosureReason_", ""),
      text: reason.to_str(),
    })),
    on(ldk.ChannelTypeFeatures, (type) => ({
      features: toHex(type.write()),
      anchors: Number(type.supports_anchors_zero_fee_htlc_tx()),
    })),
    on(ldk.UntrustedString, (text) => text.get_a()),
    on(ldk.SpendableOutputDescriptor, parts.spendable),
    on(ldk.HTLCDescriptor, parts.htlcDescriptor),
    on(ldk.HTLCOutputInCommitment, parts.htlcOutput),
    on(ldk.AnchorDescriptor, parts.anchor),
    on(ldk.BumpTransactionEvent, variant("BumpTransactionEvent_")),
    on(ldk.PaymentPurpose, variant("PaymentPurpose_")),
    on(ldk.HTLCDestination, variant("HTLCDestination_")),
    on(ldk.PathFailure, variant("PathFailure_")),
    on(ldk.Path, written),
    on(ldk.RecipientOnionFields, written),
    on(ldk.ClaimedHTLC, written),
    on(ldk.ChannelParameters, written),
  ];
  return describers;
}

export function describe(value: unknown, depth = 0, field = ""): Json {
  if (value === null || value === undefined) return null;
  if (typeof value === "bigint") return value.toString();
  if (typeof value === "string" || typeof value === "number") return value;
  if (typeof value === "boolean") return Number(value);
  if (value instanceof Uint8Array) return toHex(field === "txid" ? reversed(value) : value);
  if (Array.isArray(value)) return value.map((item) => describe(item, depth + 1));
  if (typeof value !== "object" || isNull(value)) return null;
  for (const describer of allDescribers()) {
    const known = describer(value, depth);
    if (known !== undefined) return known;
  }
  const kind = value.constructor.name;
  if (/^Option_.*_None$/.test(kind)) return null;
  if (/^Option_.*_Some$/.test(kind)) return describe(Reflect.get(value, "some"), depth);
  return depth > MAX_DEPTH ? kind : fieldsOf(value, depth, kind);
}

function fieldsOf(value: object, depth: number, type: string): JsonObject {
  const fields = Object.entries(value)
    .filter(([name]) => !WRAPPER_FIELDS.has(name))
    .map(([name, field]): [string, Json] => [name, describe(field, depth + 1, name)]);
  return { type, ...Object.fromEntries(fields) };
}

export const describeEvent = (event: Event): JsonObject => ({
  ...variant("Event_")(event, 0),
  hex: toHex(event.write()),
});

export const describeMonitorEvent = (event: MonitorEvent): JsonObject => ({
  ...variant("MonitorEvent_")(event, 0),
  hex: toHex(event.write()),
});

export function describeBalance(balance: Balance): JsonObject {
  const source: unknown = Reflect.get(balance, "source");
  return {
    ...variant("Balance_")(balance, 0),
    ...(typeof source === "number" ? { source: balanceSource(source) } : {}),
    claimable_amount_satoshis: balance.claimable_amount_satoshis().toString(),
  };
}

const balanceSource = (source: number): string =>
  (ldk.BalanceSource[source] ?? String(source)).replace("LDKBalanceSource_", "");
