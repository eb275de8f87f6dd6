/** Payments between the nodes of a run. Expiries are pinned, so a scenario knows when what happens. */
import { createHash } from "node:crypto";
import { toHex } from "@farwatch/protocol/bytes";
import { ldk } from "../ldk/module.js";
import { mustBeOk, okOf } from "../ldk/result.js";
import type { LightningNode } from "./lightning-node.js";

/** LDK adds 3 blocks to the final delta an invoice asks for. */
const INVOICE_DELTA_SLACK = 3;
/**
 * The router hides the recipient behind a random multiple of 40 blocks as far as the total allows; room
 * below 40 leaves it none. With forwarding deltas up to 60 the total must also stay below 80, from where
 * on the router sets 80 blocks aside (rust: routing/router.rs).
 */
const NO_ROOM_FOR_A_SHADOW = 19;
const INVOICE_EXPIRY_SECS = 7_200;

export interface PaymentPlan {
  readonly amountMsat: bigint;
  /** The last hop's HTLC expires this many blocks after the next block. At least 24. */
  readonly finalDelta: number;
  /** CLTV deltas of the hops before the last one, together. */
  readonly forwardDelta?: number;
}

/** Sends to an invoice of the payee and returns the payment hash; nothing is delivered yet. */
export function pay(payer: LightningNode, payee: LightningNode, plan: PaymentPlan): string {
  const { amountMsat, finalDelta, forwardDelta = 0 } = plan;
  const invoice = okOf(
    ldk.UtilMethods.constructor_create_invoice_from_channelmanager(
      payee.manager,
      ldk.Option_u64Z.constructor_some(amountMsat),
      "scenario",
      INVOICE_EXPIRY_SECS,
      ldk.Option_u16Z.constructor_some(finalDelta - INVOICE_DELTA_SLACK),
    ),
    ldk.Result_Bolt11InvoiceSignOrCreationErrorZ_OK,
    "invoice",
  ).res;
  const parts = okOf(
    ldk.UtilMethods.constructor_payment_parameters_from_invoice(invoice),
    ldk.Result_C3Tuple_ThirtyTwoBytesRecipientOnionFieldsRouteParametersZNoneZ_OK,
    "payment parameters",
  ).res;
  const hash = parts.get_a();
  const route = parts.get_c();
  const params = route.get_payment_params();
  params.set_max_total_cltv_expiry_delta(finalDelta + forwardDelta + NO_ROOM_FOR_A_SHADOW);
  route.set_payment_params(params);
  const retry = ldk.Retry.constructor_attempts(0);
  mustBeOk(payer.manager.send_payment(hash, parts.get_b(), hash, route, retry), "send_payment");
  payer.timeline.note(`send_payment ${toHex(hash)}`);
  return toHex(hash);
}

/** A spontaneous payment with the given preimage; returns the payment hash. */
export function keysend(payer: LightningNode, payee: LightningNode, plan: KeysendPlan): string {
  const { preimage, amountMsat, finalDelta } = plan;
  const params = ldk.PaymentParameters.constructor_for_keysend(payee.id, finalDelta, false);
  const route = ldk.RouteParameters.constructor_from_payment_params_and_value(params, amountMsat);
  const sent = payer.manager.send_spontaneous_payment(
    ldk.Option_ThirtyTwoBytesZ.constructor_some(preimage),
    ldk.RecipientOnionFields.constructor_spontaneous_empty(),
    preimage, // payment id: any 32 bytes that are not used twice
    route,
    ldk.Retry.constructor_attempts(0),
  );
  mustBeOk(sent, "keysend");
  return createHash("sha256").update(preimage).digest("hex");
}

export interface KeysendPlan {
  readonly preimage: Uint8Array;
  readonly amountMsat: bigint;
  readonly finalDelta: number;
}
