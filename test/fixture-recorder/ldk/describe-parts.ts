/** JSON of LDK objects that give their fields out through getters, or only as bytes. */
import { reversed, toHex } from "@farwatch/protocol/bytes";
import { must } from "@farwatch/protocol/assert";
import type {
  AnchorDescriptor,
  ChannelDerivationParameters,
  ChannelMonitor,
  CommitmentTransaction,
  HTLCDescriptor,
  HTLCOutputInCommitment,
  HTLCUpdate,
  OutPoint,
  SpendableOutputDescriptor,
  StaticPaymentOutputDescriptor,
  DelayedPaymentOutputDescriptor,
} from "lightningdevkit";
import type { Json, JsonObject } from "./json.js";
import { ldk } from "./module.js";
import { Reader } from "./reader.js";

/** TLV types of an HTLCUpdate; the bindings have no getters (rust: chain/channelmonitor.rs). */
const HTLC_UPDATE = { paymentHash: 0, valueSat: 1, source: 2, preimage: 4 } as const;

export const outpoint = (point: OutPoint): JsonObject => ({
  txid: toHex(reversed(point.get_txid())),
  vout: point.get_index(),
});

/** "txid:vout", as channels are named in a recording. */
export const outpointName = (point: OutPoint): string =>
  `${toHex(reversed(point.get_txid()))}:${point.get_index()}`;

export function htlcUpdate(update: HTLCUpdate): JsonObject {
  const bytes = update.write();
  const fields = new Reader(bytes).tlvStream();
  const preimage = fields.get(HTLC_UPDATE.preimage);
  const value = fields.get(HTLC_UPDATE.valueSat);
  return {
    payment_hash: toHex(must(fields.get(HTLC_UPDATE.paymentHash), "payment hash")),
    payment_preimage: preimage === undefined ? null : toHex(preimage),
    htlc_value_satoshis: value === undefined ? null : BigInt(`0x${toHex(value)}`).toString(),
    source: toHex(must(fields.get(HTLC_UPDATE.source), "source")),
    hex: toHex(bytes),
  };
}

export function spendable(descriptor: SpendableOutputDescriptor): Json {
  const hex = toHex(descriptor.write());
  if (descriptor instanceof ldk.SpendableOutputDescriptor_StaticOutput) {
    return {
      type: "StaticOutput",
      outpoint: outpoint(descriptor.outpoint),
      value: descriptor.output.value.toString(),
      script: toHex(descriptor.output.script_pubkey),
      channel_keys_id: toHex(descriptor.channel_keys_id),
      hex,
    };
  }
  if (descriptor instanceof ldk.SpendableOutputDescriptor_DelayedPaymentOutput) {
    const delayed = descriptor.delayed_payment_output;
    return {
      type: "DelayedPaymentOutput",
      ...paymentOutput(delayed),
      to_self_delay: delayed.get_to_self_delay(),
      per_commitment_point: toHex(delayed.get_per_commitment_point()),
      revocation_pubkey: toHex(delayed.get_revocation_pubkey().get_a()),
      hex,
    };
  }
  if (descriptor instanceof ldk.SpendableOutputDescriptor_StaticPaymentOutput) {
    return { type: "StaticPaymentOutput", ...paymentOutput(descriptor.static_payment_output), hex };
  }
  throw new Error(`unknown spendable output: ${descriptor.constructor.name}`);
}

function paymentOutput(
  output: StaticPaymentOutputDescriptor | DelayedPaymentOutputDescriptor,
): JsonObject {
  return {
    outpoint: outpoint(output.get_outpoint()),
    value: output.get_output().value.toString(),
    script: toHex(output.get_output().script_pubkey),
    channel_keys_id: toHex(output.get_channel_keys_id()),
    channel_value_satoshis: output.get_channel_value_satoshis().toString(),
  };
}

export function htlcOutput(htlc: HTLCOutputInCommitment): JsonObject {
  const index = htlc.get_transaction_output_index();
  return {
    offered: Number(htlc.get_offered()),
    amount_msat: htlc.get_amount_msat().toString(),
    cltv_expiry: htlc.get_cltv_expiry(),
    payment_hash: toHex(htlc.get_payment_hash()),
    output_index: index instanceof ldk.Option_u32Z_Some ? index.some : null,
  };
}

export function htlcDescriptor(descriptor: HTLCDescriptor): JsonObject {
  const preimage = descriptor.get_preimage();
  return {
    channel: derivation(descriptor.get_channel_derivation_parameters()),
    commitment_txid: toHex(reversed(descriptor.get_commitment_txid())),
    per_commitment_number: descriptor.get_per_commitment_number().toString(),
    per_commitment_point: toHex(descriptor.get_per_commitment_point()),
    feerate_per_kw: descriptor.get_feerate_per_kw(),
    htlc: htlcOutput(descriptor.get_htlc()),
    preimage: preimage instanceof ldk.Option_ThirtyTwoBytesZ_Some ? toHex(preimage.some) : null,
    counterparty_sig: toHex(descriptor.get_counterparty_sig()),
    hex: toHex(descriptor.write()),
  };
}

export const anchor = (descriptor: AnchorDescriptor): JsonObject => ({
  outpoint: outpoint(descriptor.get_outpoint()),
  channel: derivation(descriptor.get_channel_derivation_parameters()),
});

const derivation = (parameters: ChannelDerivationParameters): JsonObject => ({
  value_satoshis: parameters.get_value_satoshis().toString(),
  keys_id: toHex(parameters.get_keys_id()),
  transaction_parameters: toHex(parameters.get_transaction_parameters().write()),
});

/** A counterparty commitment as a monitor rebuilt it (LDK's watchtower interface). */
export function commitment(transaction: CommitmentTransaction): JsonObject {
  const trusted = transaction.trust();
  const index = trusted.revokeable_output_index();
  return {
    txid: toHex(reversed(trusted.txid())),
    commitment_number: transaction.commitment_number().toString(),
    per_commitment_point: toHex(transaction.per_commitment_point()),
    feerate_per_kw: transaction.feerate_per_kw(),
    to_broadcaster_value_sat: transaction.to_broadcaster_value_sat().toString(),
    to_countersignatory_value_sat: transaction.to_countersignatory_value_sat().toString(),
    revokeable_output_index: index instanceof ldk.Option_usizeZ_Some ? Number(index.some) : null,
    unsigned_tx: toHex(trusted.built_transaction().get_transaction()),
    hex: toHex(transaction.write()),
  };
}

/** Sorted, because LDK keeps them in a hash map. */
export function outputsToWatch(monitor: ChannelMonitor): Json {
  return monitor
    .get_outputs_to_watch()
    .map((entry) => ({
      txid: toHex(reversed(entry.get_a())),
      outputs: entry
        .get_b()
        .map((output) => ({ vout: output.get_a(), script: toHex(output.get_b()) }))
        .sort((a, b) => a.vout - b.vout),
    }))
    .sort((a, b) => (a.txid < b.txid ? -1 : 1));
}
