/** The commands of a test, carried out on the node (protocol.ts). */
import { must } from "@farwatch/protocol/assert";
import { fromHex, reversed, toHex } from "@farwatch/protocol/bytes";
import type { Bolt11Invoice, ChannelDetails } from "lightningdevkit";
import { outpointName } from "../../fixture-recorder/ldk/describe-parts.js";
import { ldk } from "../../fixture-recorder/ldk/module.js";
import { isNull, mustBeOk, okOf } from "../../fixture-recorder/ldk/result.js";
import { configOf } from "./build.js";
import { displayHash, type LightningNode } from "./lightning-node.js";
import type {
  Calls,
  ChannelView,
  CloseAsk,
  InvoiceAsk,
  NodeState,
  OpenAsk,
  PayAsk,
} from "./protocol.js";

type Commands = {
  readonly [N in keyof Calls]: (
    ask: Calls[N]["ask"],
  ) => Calls[N]["answer"] | Promise<Calls[N]["answer"]>;
};

const U128_HEX = 32;
const INVOICE_EXPIRY_SECS = 7_200;
/** LDK adds 3 blocks to the final delta an invoice asks for. */
const INVOICE_DELTA_SLACK = 3;

export function commandsOf(node: LightningNode): Commands {
  const { objects, application, history, points } = node.made;
  const { manager, peers } = objects;
  /** What a command did goes out, and is saved, before its answer. */
  const done = (): null => {
    node.pump();
    return null;
  };
  return {
    state: () => stateOf(node),
    sync: async () => ({ height: await node.sync() }),
    connect: async ({ nodeId, port }) => {
      await node.tcp.connect(nodeId, port);
      return done();
    },
    disconnect: ({ nodeId }) => {
      peers.disconnect_by_node_id(fromHex(nodeId));
      return done();
    },
    open: (ask) => {
      open(node, ask);
      return done();
    },
    invoice: (ask) => invoice(node, ask),
    pay: (ask) => {
      const paymentHash = pay(node, ask);
      points.pass();
      node.pump();
      return { paymentHash };
    },
    claim: ({ paymentHash }) => {
      const preimage = must(application.preimageOf(paymentHash), "a held payment");
      manager.claim_funds(fromHex(preimage));
      return done();
    },
    failBack: ({ paymentHash }) => {
      manager.fail_htlc_backwards(fromHex(paymentHash));
      return done();
    },
    close: (ask) => {
      close(node, ask);
      return done();
    },
    events: ({ since }) => application.events.slice(since),
    commitment: ({ channelId, updateId }) => history.commitment(channelId, updateId),
    killAfter: ({ points: count }) => {
      points.killAfter(count);
      return null;
    },
  };
}

function stateOf(node: LightningNode): NodeState {
  const { objects, application, points } = node.made;
  const { manager, peers } = objects;
  const block = manager.current_best_block();
  return {
    nodeId: node.nodeId,
    height: block.get_height(),
    blockHash: displayHash(block.get_block_hash()),
    channels: manager.list_channels().map(viewOf),
    peers: peers.list_peers().map((peer) => toHex(peer.get_counterparty_node_id())),
    events: application.events.length,
    isQuiet: node.isQuiet,
    pendingPayments: manager
      .list_recent_payments()
      .flatMap((payment) =>
        payment instanceof ldk.RecentPaymentDetails_Pending ? [toHex(payment.payment_hash)] : [],
      ),
    killPoints: points.passed,
  };
}

function viewOf(channel: ChannelDetails): ChannelView {
  const scid = channel.get_outbound_payment_scid();
  const funding = channel.get_funding_txo();
  return {
    channelId: toHex(channel.get_channel_id().get_a()),
    nodeId: toHex(channel.get_counterparty().get_node_id()),
    funding: isNull(funding) ? undefined : outpointName(funding),
    userId: swapped(channel.get_user_channel_id()),
    scid: scid instanceof ldk.Option_u64Z_Some ? scid.some : undefined,
    isOpener: Boolean(channel.get_is_outbound()),
    anchors: typeIsAnchors(channel),
    usable: Boolean(channel.get_is_usable()),
    valueSat: channel.get_channel_value_satoshis(),
    outboundMsat: channel.get_outbound_capacity_msat(),
    inboundHtlcs: channel.get_pending_inbound_htlcs().length,
    outboundHtlcs: channel.get_pending_outbound_htlcs().length,
  };
}

/** The package writes a u128 little-endian and reads it big-endian. */
const swapped = (value: bigint): bigint =>
  BigInt(`0x${toHex(reversed(fromHex(value.toString(16).padStart(U128_HEX, "0"))))}`);

function typeIsAnchors(channel: ChannelDetails): boolean {
  const type = channel.get_channel_type();
  return !isNull(type) && Boolean(type.supports_anchors_zero_fee_htlc_tx());
}

function open(node: LightningNode, ask: OpenAsk): void {
  const created = node.made.objects.manager.create_channel(
    fromHex(ask.nodeId),
    ask.valueSat,
    ask.pushMsat,
    ask.userId,
    null,
    configOf(ask.anchors),
  );
  mustBeOk(created, "create_channel");
}

function invoice(node: LightningNode, { msat, finalDelta, hold }: InvoiceAsk) {
  const made: Bolt11Invoice = okOf(
    ldk.UtilMethods.constructor_create_invoice_from_channelmanager(
      node.made.objects.manager,
      ldk.Option_u64Z.constructor_some(msat),
      "ldk node",
      INVOICE_EXPIRY_SECS,
      ldk.Option_u16Z.constructor_some(finalDelta - INVOICE_DELTA_SLACK),
    ),
    ldk.Result_Bolt11InvoiceSignOrCreationErrorZ_OK,
    "invoice",
  ).res;
  const paymentHash = toHex(made.payment_hash());
  if (hold) node.made.application.hold(paymentHash);
  node.pump();
  return { invoice: made.to_str(), paymentHash };
}

function pay(node: LightningNode, ask: PayAsk): string {
  const { manager, routes } = node.made.objects;
  const parsed = okOf(
    ldk.Bolt11Invoice.constructor_from_str(ask.invoice),
    ldk.Result_Bolt11InvoiceParseOrSemanticErrorZ_OK,
    "invoice",
  ).res;
  const parts = okOf(
    ldk.UtilMethods.constructor_payment_parameters_from_invoice(parsed),
    ldk.Result_C3Tuple_ThirtyTwoBytesRecipientOnionFieldsRouteParametersZNoneZ_OK,
    "payment parameters",
  ).res;
  const hash = parts.get_a();
  routes.take(toHex(hash), ask);
  const once = ldk.Retry.constructor_attempts(0);
  // The payment id is the hash: a payment that is repeated after a crash is not made twice (R10).
  mustBeOk(manager.send_payment(hash, parts.get_b(), hash, parts.get_c(), once), "send_payment");
  return toHex(hash);
}

function close(node: LightningNode, { channelId, force }: CloseAsk): void {
  const { manager } = node.made.objects;
  const channel = must(
    manager.list_channels().find((one) => toHex(one.get_channel_id().get_a()) === channelId),
    "a channel to close",
  );
  const peer = channel.get_counterparty().get_node_id();
  const id = channel.get_channel_id();
  if (force) {
    mustBeOk(manager.force_close_broadcasting_latest_txn(id, peer, "asked to"), "force close");
  } else {
    mustBeOk(manager.close_channel(id, peer), "close_channel");
  }
}
