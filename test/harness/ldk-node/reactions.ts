/**
 * What the application does with LDK's events. Called outside LDK's callbacks, in the synchronous stretch that
 * ends with a save, so a reaction and the event it answers are saved together or not at all.
 */
import { fromHex, toHex } from "@farwatch/protocol/bytes";
import type {
  Event,
  Event_FundingGenerationReady,
  SpendableOutputDescriptor,
} from "lightningdevkit";
import { Transaction } from "bitcoinjs-lib";
import { z } from "zod";
import { describeEvent } from "../../fixture-recorder/ldk/describe.js";
import { spendable } from "../../fixture-recorder/ldk/describe-parts.js";
import { ldk } from "../../fixture-recorder/ldk/module.js";
import { isOf, mustBeOk } from "../../fixture-recorder/ldk/result.js";
import { scriptOf } from "../../fixture-recorder/ldk/traits.js";
import type { Application } from "./application.js";
import { broadcast } from "./broadcast.js";
import type { Base, Objects } from "./build.js";

const FUNDING_FEE_BTC_PER_KVB = 0.00005;
const SWEEP_SAT_PER_KW = 1_000;

const WithHex = z.object({ hex: z.string() });

export interface Reacting {
  readonly base: Base;
  readonly objects: Objects;
  readonly application: Application;
}

export function react(node: Reacting, event: Event): void {
  const { application, objects } = node;
  const { manager } = objects;
  if (event instanceof ldk.Event_BumpTransaction) {
    objects.bumper.handle_event(event.bump_transaction); // asked again until it is over: not stored
    return;
  }
  application.add(describeEvent(event));
  if (event instanceof ldk.Event_OpenChannelRequest) {
    const { temporary_channel_id, counterparty_node_id } = event;
    const accepted = manager.accept_inbound_channel(temporary_channel_id, counterparty_node_id, 0n);
    mustBeOk(accepted, "accept_inbound_channel");
  } else if (event instanceof ldk.Event_FundingGenerationReady) {
    fund(node, event);
  } else if (event instanceof ldk.Event_PendingHTLCsForwardable) {
    manager.process_pending_htlc_forwards();
  } else if (event instanceof ldk.Event_PaymentClaimable) {
    const preimage = event.purpose.preimage();
    if (!(preimage instanceof ldk.Option_ThirtyTwoBytesZ_Some)) return;
    const hash = toHex(event.payment_hash);
    application.keepPreimage(hash, toHex(preimage.some));
    if (!application.isHeld(hash)) manager.claim_funds(preimage.some);
  } else if (event instanceof ldk.Event_SpendableOutputs) {
    for (const output of event.outputs) sweep(node, output);
  }
}

/** LDK publishes it itself, when the monitors have the first state. */
function fund({ base, objects }: Reacting, event: Event_FundingGenerationReady): void {
  const { rpc, plan } = base;
  const script = toHex(event.output_script);
  const { address } = rpc.ask(z.object({ address: z.string() }), "decodescript", [script]);
  const outputs = { [address]: (Number(event.channel_value_satoshis) / 1e8).toFixed(8) };
  const draft = rpc.ask(z.string(), "createrawtransaction", [[], outputs]);
  const options = { changePosition: 1, feeRate: FUNDING_FEE_BTC_PER_KVB, lockUnspents: true };
  const funded = rpc.ask(WithHex, "fundrawtransaction", [draft, options], plan.wallet);
  const signed = rpc.ask(WithHex, "signrawtransactionwithwallet", [funded.hex], plan.wallet);
  const given = objects.manager.funding_transaction_generated(
    event.temporary_channel_id,
    event.counterparty_node_id,
    fromHex(signed.hex),
  );
  mustBeOk(given, "funding_transaction_generated");
}

/** One transaction an output, so that who paid which fee stays plain. Told twice, it is refused the second time. */
function sweep({ base, application }: Reacting, output: SpendableOutputDescriptor): void {
  const { rpc, plan, keys } = base;
  const address = rpc.ask(z.string(), "getnewaddress", ["", "bech32"], plan.wallet);
  const spent = keys
    .as_OutputSpender()
    .spend_spendable_outputs(
      [output],
      [],
      scriptOf(rpc, plan.wallet, address),
      SWEEP_SAT_PER_KW,
      ldk.Option_u32Z.constructor_none(),
    );
  const what = spendable(output);
  if (!isOf(ldk.Result_TransactionNoneZ_OK, spent)) {
    application.add({ type: "NotSwept", output: what });
    return;
  }
  const raw = toHex(spent.res);
  const refused = broadcast(rpc, [raw]);
  const txid = Transaction.fromHex(raw).getId();
  application.add({ type: "Sweep", output: what, txid, refused });
}
