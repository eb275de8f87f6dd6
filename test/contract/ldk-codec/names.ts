/**
 * From LDK's names, which the built vectors use, to those of proto/src/ldk. A field is looked up behind the
 * field or variant that it stands in first, then alone; what is in neither table is the same in camel case.
 */
import type { Json } from "../../harness/ldk-bytes/wire.js";

const VARIANTS: Readonly<Record<string, string>> = {
  LatestHolderCommitmentTXInfo: "latestHolderCommitmentInfo",
  LatestCounterpartyCommitmentTXInfo: "latestCounterpartyCommitmentInfo",
  PreviousHopData: "previousHop",
  Bolt12Invoice: "bolt12",
  FromBlindedNode: "blindedNode",
  LightningError: "onion",
  Reason: "local",
  HTLCEvent: "htlcEvent",
  HTLCUpdate: "htlcUpdate", // waits for six blocks
  BodyHTLCUpdate: "htlcEvent",
  HTLCSpendConfirmation: "htlcSpendConfirmation",
  DelayedPaymentOutput: "delayedPayment",
  StaticPaymentOutput: "staticPayment",
  RevokedHTLCOutput: "revokedHtlcOutput",
  CounterpartyOfferedHTLCOutput: "counterpartyOfferedHtlc",
  CounterpartyReceivedHTLCOutput: "counterpartyReceivedHtlc",
  HolderHTLCOutput: "holderHtlc",
  HolderFundingOutput: "holderFunding",
};

const FIELDS: Readonly<Record<string, string>> = {
  // commitments and parameters
  to_broadcaster_value_sat: "toBroadcasterSat",
  to_countersignatory_value_sat: "toCountersignatorySat",
  transaction_output_index: "outputIndex",
  commitment_tx_output_idx: "outputIndex",
  legacy_deserialization_prevention_marker: "legacyAnchors",
  is_counterparty_balance_on_anchors: "anchors",
  channel_type_features: "channelType",
  broadcaster_delayed_payment_key: "broadcasterDelayedKey",
  nondust_htlcs: "htlcs",
  htlc_outputs: "htlcs",
  inner: "commitment",
  counterparty_sig: "counterpartySignature",
  holder_sig_first: "holderSignatureFirst",
  counterparty_htlc_sigs: "counterpartyHtlcSignatures",
  funding_outpoint: "funding",
  channel_value_satoshis: "channelValueSat",
  value_satoshis: "channelValueSat",
  counterparty_parameters: "counterparty",
  channel_parameters: "parameters",
  channel_transaction_parameters: "parameters",
  transaction_parameters: "parameters",
  // updates
  updates: "steps",
  commitment_tx: "commitment",
  commitment_txs: "commitments",
  claimed_htlcs: "claimed",
  legacy_claimed_htlcs: "legacyClaimed",
  failed_htlcs: "failures",
  "claimed_htlcs.htlc_id": "id",
  "failed_htlcs.htlc_id": "id",
  "failed_htlcs.failure_reason": "reason",
  "Reason.failure_reason": "reason",
  "LightningError.data": "packet",
  nondust_htlc_sources: "nonDustSources",
  "LatestCounterpartyCommitmentTXInfo.commitment_txid": "txid",
  "LatestCounterpartyCommitmentTXInfo.their_per_commitment_point": "perCommitmentPoint",
  payment_preimage: "preimage",
  scriptpubkey: "scriptPubkey",
  idx: "commitmentNumber",
  holder_commitment_tx: "holderCommitment",
  counterparty_commitment_tx: "counterpartyCommitment",
  funding_contribution: "contribution",
  // sources
  pubkey: "nodeId",
  maybe_announced_channel: "maybeAnnounced",
  path_hops: "hops",
  session_priv: "sessionKey",
  first_hop_htlc_msat: "firstHopMsat",
  prev_outbound_scid_alias: "shortChannelId",
  "PreviousHopData.outpoint": "funding",
  "previous_hop_data.outpoint": "funding",
  previous_hop_data: "previousHops",
  incoming_trampoline_shared_secret: "secretOrOutbound",
  outbound_payment: "outbound",
  // events
  funding_txo: "funding",
  monitor_update_id: "updateId",
  "HolderForceClosedWithInfo.outpoint": "funding",
  htlc_value_satoshis: "valueSat",
  htlc_value_msat: "valueMsat",
  legacy_payment_preimage: "legacyPreimage",
  peer_feerate_sat_per_kw: "peerFeeratePerKw",
  required_feerate_sat_per_kw: "requiredFeeratePerKw",
  broadcasted_latest_txn: "broadcastedLatest",
  // claims
  outpoint_confirmation_height: "outpointHeight",
  counterparty_delayed_payment_base_key: "counterpartyDelayedBasepoint",
  counterparty_htlc_base_key: "counterpartyHtlcBasepoint",
  per_commitment_key: "perCommitmentSecret",
  per_commitment_number: "commitmentNumber",
  amount: "amountSat",
  on_counterparty_tx_csv: "toSelfDelay",
  on_local_output_csv: "toSelfDelay",
  on_to_local_output_csv: "toSelfDelay",
  commitment_tx_to_counterparty_output: "toCounterparty",
  htlc_descriptor: "descriptor",
  channel_derivation_parameters: "derivation",
  keys_id: "channelKeysId",
  funding_redeemscript: "redeemScript",
  funding_amount_sats: "fundingSat",
  package: "claim",
  solving_data: "solving",
  feerate_previous: "previousFeeratePerKw",
  height_original: "originalHeight",
  height_timer: "nextBumpHeight",
  descriptor: "output",
  // the monitor's body
  "monitor.commitment_transaction_number_obscure_factor": "obscureFactor",
  "monitor.broadcasted_holder_revokable_script": "holderRevokableScript",
  "monitor.funding_script": "fundingScriptPubkey",
  "monitor.funding_redeemscript": "fundingRedeemScript",
  current_counterparty_commitment_txid: "counterpartyCommitmentTxid",
  prev_counterparty_commitment_txid: "previousCounterpartyCommitmentTxid",
  "monitor.counterparty_commitment_params": "counterpartyCommitmentParameters",
  "counterparty_commitment_params.counterparty_delayed_payment_base_key": "delayedPaymentBasepoint",
  "counterparty_commitment_params.counterparty_htlc_base_key": "htlcBasepoint",
  "counterparty_commitment_params.on_counterparty_tx_csv": "onCounterpartyTxCsv",
  their_cur_per_commitment_points: "counterpartyPoints",
  counterparty_claimable_outpoints: "counterpartyHtlcs",
  counterparty_commitment_txn_on_chain: "counterpartyCommitmentsOnChain",
  counterparty_hash_commitment_number: "hashCommitmentNumbers",
  "monitor.prev_holder_commitment": "previousHolderTx",
  "monitor.current_holder_commitment": "holderTx",
  to_self_value_sat: "toSelfSat",
  a_htlc_key: "broadcasterHtlcKey",
  b_htlc_key: "countersignatoryHtlcKey",
  current_counterparty_commitment_number: "counterpartyCommitmentNumber",
  current_holder_commitment_number: "holderCommitmentNumber",
  "monitor.payment_preimages": "bodyPreimages",
  legacy_pending_monitor_events: "bodyMonitorEvents",
  "monitor.onchain_events_awaiting_threshold_conf": "waitingFacts",
  "onchain_tx_handler.onchain_events_awaiting_threshold_conf": "waitingSpends",
  pending_claim_requests: "pendingClaims",
  prev_holder_commitment: "previousHolderCommitment",
  // the trailer
  htlcs_resolved_on_chain: "resolvedHtlcs",
  resolving_tx: "resolvingTransaction",
  confirmed_commitment_tx_counterparty_output: "confirmedCounterpartyOutput",
  counterparty_fulfilled_htlcs: "counterpartyFulfilled",
  initial_counterparty_commitment_info: "initialCounterpartyCommitment",
  initial_counterparty_commitment_tx: "initialCounterpartyTransaction",
  holder_pays_commitment_tx_fee: "holderPaysCommitmentFee",
  payment_preimages: "preimages",
  first_negotiated_funding_txo: "firstFunding",
  current_holder_commitment_tx: "holderCommitment",
  prev_holder_commitment_tx: "previousHolderCommitment",
  is_manual_broadcast: "manualBroadcast",
  previous_blocks: "recentBlocks",
  pending_mon_evs_with_ids: "identifiedMonitorEvents",
  counterparty_failed_htlcs: "counterpartyFailed",
};

/** Written so that old readers stop, or left over: nothing of it is in the decoded value. */
const LEFT_OUT = new Set([
  "version",
  "tlvs",
  "legacy_counterparty_htlcs",
  "holder_htlc_sigs",
  "prev_holder_htlc_sigs",
  "signer_length",
]);

/** Parts of LDK's value that stand beside each other in ours. */
const FLAT = new Set(["timing"]);

const camel = (name: string): string =>
  name.replace(/_(\w)/g, (_, letter: string) => letter.toUpperCase());

const isObject = (value: Json | undefined): value is { readonly [name: string]: Json } =>
  typeof value === "object" && value !== null && !Array.isArray(value);

const isOutpoint = (value: { readonly [name: string]: Json }): boolean =>
  Object.keys(value).join() === "txid,index";

function variantIn(value: { readonly [name: string]: Json }): string | undefined {
  const [name, ...others] = Object.keys(value);
  return name !== undefined && others.length === 0 && /^[A-Z]/.test(name) ? name : undefined;
}

/** A value in LDK's names as the decoder is to give it. */
export function inOurNames(value: Json, within: string): Json {
  if (Array.isArray(value)) return value.map((item: Json) => inOurNames(item, within));
  if (!isObject(value)) return value;
  if (isOutpoint(value)) return { txid: value["txid"] ?? null, vout: value["index"] ?? null };
  const variant = variantIn(value);
  if (variant !== undefined) return variantOf(variant, value[variant] ?? null);
  const out: Record<string, Json> = {};
  for (const [name, item] of Object.entries(value)) {
    if (LEFT_OUT.has(name)) continue;
    const inner = inOurNames(item, name);
    const flat = FLAT.has(name) || (within === "update" && name === "trailer");
    if (flat && isObject(inner)) Object.assign(out, inner);
    else if (name === "commitment_secrets" && isObject(inner))
      out["commitmentSecrets"] = inner["oldSecrets"] ?? null;
    else out[nameOf(name, within, value)] = inner;
  }
  return out;
}

function nameOf(name: string, within: string, siblings: object): string {
  const moved = within === "TrampolineForward" && name === "outbound_payment";
  if (moved && !("incoming_trampoline_shared_secret" in siblings)) return "secretOrOutbound";
  if (name === "claimed_htlcs" && "legacy_claimed_htlcs" in siblings) return "claims";
  return FIELDS[`${within}.${name}`] ?? FIELDS[name] ?? camel(name);
}

function variantOf(name: string, payload: Json): Json {
  const kind = VARIANTS[name] ?? name.charAt(0).toLowerCase() + name.slice(1);
  if (!isObject(payload)) return { kind };
  if (isOutpoint(payload)) return { kind, funding: inOurNames(payload, name) };
  const inner = inOurNames(payload, name);
  return isObject(inner) ? { kind, ...inner } : { kind };
}
