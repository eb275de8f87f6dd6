/**
 * The other end of a RemoteWatch with a real ChannelMonitor of LDK on it: fed with what the scripted manager
 * accepted and with blocks, its events told as Farwatch's monitors tell theirs. What LDK would have handed out
 * is kept, to be compared with what RemoteWatch makes of it.
 */
import type {
  HeldChannel,
  ScriptedManager,
} from "@farwatch/manager-service/ldk/testing/scripted-manager";
import { msat, sat, feeratePerKw } from "@farwatch/protocol/amount";
import { must } from "@farwatch/protocol/assert";
import { blockDelta, blockHash, blockHeight } from "@farwatch/protocol/block";
import type { BumpTransaction } from "@farwatch/protocol/bump";
import { fromHex, toHex } from "@farwatch/protocol/bytes";
import { bumpItemToWire } from "@farwatch/protocol/convert/bump";
import { encodeEventPayload } from "@farwatch/protocol/convert/event";
import { writeSpendable } from "@farwatch/protocol/convert/spendable";
import type { MonitorEventBody, SpendableOutput } from "@farwatch/protocol/event";
import {
  hash32,
  htlcId,
  paymentHash,
  txid,
  txidFromInternal,
  type ChannelId,
  type Outpoint,
} from "@farwatch/protocol/ids";
import { toSource } from "@farwatch/protocol/ldk/convert/source";
import { decodeHtlcUpdate } from "@farwatch/protocol/ldk/monitor-events";
import type {
  BumpTransactionEvent,
  ChannelMonitor,
  Event,
  MonitorEvent,
  OutPoint,
  SpendableOutputDescriptor,
} from "lightningdevkit";
import { ldk } from "../../fixture-recorder/ldk/module.js";
import { readMonitor } from "../../fixture-recorder/ldk/monitor.js";
import { okOf } from "../../fixture-recorder/ldk/result.js";
import { eventHandler } from "../../fixture-recorder/ldk/traits.js";
import type { NodeIdentity } from "./node.js";
import type { PaperBlock } from "./paper-chain.js";

const MONITOR = "alpha";

export class RemoteMonitor {
  /** As LDK writes them. */
  readonly monitorEvents: { readonly itemId: bigint; readonly hex: string }[] = [];
  readonly spendable: string[] = [];
  readonly bumps: BumpTransactionEvent[] = [];
  readonly #resolved = new Set<string>();
  readonly #monitors = new Map<ChannelId, ChannelMonitor>();
  #height = 0;

  constructor(
    private readonly manager: ScriptedManager,
    private readonly identity: NodeIdentity,
  ) {
    manager.onAccepted = (id, _updateId, bytes) => this.#accepted(id, bytes);
  }

  /** Outbound HTLCs whose outcome was told. */
  get resolvedHtlcs(): number {
    return this.#resolved.size;
  }

  connectBlock({ header, height, transactions }: PaperBlock): void {
    this.#height = height;
    const { broadcast, fees, logger } = this.identity;
    const inBlock = transactions.map((tx, at) =>
      ldk.TwoTuple_usizeTransactionZ.constructor_new(at, Uint8Array.from(tx.toBuffer())),
    );
    for (const [id, monitor] of this.#monitors) {
      monitor.block_connected(header, inBlock, height, broadcast, fees, logger);
      this.#drain(id, monitor);
    }
  }

  #accepted(id: ChannelId, bytes: Uint8Array): void {
    const monitor = this.#monitors.get(id);
    if (monitor === undefined) {
      this.#monitors.set(id, readMonitor(this.identity.keys, bytes));
      return;
    }
    const { broadcast, fees, logger } = this.identity;
    const Ok = ldk.Result_ChannelMonitorUpdateDecodeErrorZ_OK;
    const update = okOf(ldk.ChannelMonitorUpdate.constructor_read(bytes), Ok, "an update").res;
    monitor.update_monitor(update, broadcast, fees, logger);
    this.#drain(id, monitor);
  }

  #drain(id: ChannelId, monitor: ChannelMonitor): void {
    for (const event of monitor.get_and_clear_pending_monitor_events()) this.#tell(id, event);
    const take = eventHandler((event) => this.#tellUser(id, event));
    monitor.process_pending_events(take, this.identity.logger);
  }

  #tell(id: ChannelId, event: MonitorEvent): void {
    const held = must(this.manager.channels.get(id), "a channel");
    const body = bodyOf(event, held);
    if (body.kind === "htlcEvent") this.#resolved.add(body.paymentHash);
    const block = { height: blockHeight(this.#height), hash: blockHash("00".repeat(32)) };
    const origin = { kind: "chain", txid: txid("00".repeat(32)), block } as const;
    const payload = Buffer.from(encodeEventPayload({ body, origin }));
    const none = {
      header: Buffer.alloc(0),
      eventHash: Buffer.alloc(32),
      subjectKey: Buffer.alloc(0),
    };
    const value = {
      channelId: Buffer.from(fromHex(id)),
      eventId: 1n,
      payload,
      createdAtMs: 0n,
      signature: Buffer.alloc(0),
      ...none,
    };
    const itemId = this.manager.tell({ $case: "monitorEvent", value });
    this.monitorEvents.push({ itemId, hex: toHex(event.write()) });
  }

  #tellUser(id: ChannelId, event: Event): void {
    const about = Buffer.from(fromHex(id));
    if (event instanceof ldk.Event_SpendableOutputs) {
      this.spendable.push(...event.outputs.map((output) => toHex(output.write())));
      const outputs = event.outputs.map((output) => writeSpendable(spendableOf(output)));
      const value = { $case: "spendableOutputs", value: { outputs } } as const;
      this.manager.tell({ $case: "userEvent", value: { event: value, channelId: about } });
    } else if (event instanceof ldk.Event_BumpTransaction) {
      const request = bumpOf(event.bump_transaction);
      this.bumps.push(event.bump_transaction);
      const item = bumpItemToWire({ channelId: id, request });
      const value = { $case: "bumpTransaction", value: { monitor: MONITOR, ...item } } as const;
      this.manager.tellLevel({ $case: "userEvent", value: { event: value } });
    }
  }
}

function bodyOf(event: MonitorEvent, held: HeldChannel): MonitorEventBody {
  if (event instanceof ldk.MonitorEvent_HTLCEvent) {
    const decoded = decodeHtlcUpdate(event.htlc_event.write());
    const {
      paymentHash: hash,
      source,
      valueSat,
      preimage,
    } = must(decoded.ok ? decoded.value : null, "HTLC");
    const claimed = { skimmedFeeMsat: undefined, attributionData: undefined };
    const reason = { cause: { kind: "onChainTimeout" }, holdTime: undefined } as const;
    return {
      kind: "htlcEvent",
      paymentHash: hash,
      source: toSource(source),
      htlcId: htlcId(0n),
      amountMsat: msat(must(valueSat, "a value") * 1000n),
      userChannelId: undefined,
      resolution:
        preimage === undefined
          ? { kind: "failed", reason: { ...reason, attributionData: undefined } }
          : { kind: "claimed", preimage, ...claimed },
    };
  }
  if (event instanceof ldk.MonitorEvent_HolderForceClosedWithInfo) {
    held.closed = true;
    const isDeadline = event.reason instanceof ldk.ClosureReason_HTLCsTimedOut;
    return {
      kind: "holderForceClosed",
      funding: outpointOf(event.outpoint),
      commitmentTxid: txid("00".repeat(32)),
      reason: isDeadline
        ? { kind: "htlcDeadline", paymentHash: paymentHash("00".repeat(32)) }
        : { kind: "nodeRequested", text: "closed" },
    };
  }
  throw new Error(`not a monitor's event: ${event.constructor.name}`);
}

const outpointOf = (point: OutPoint): Outpoint => ({
  txid: txidFromInternal(point.get_txid()),
  vout: point.get_index(),
});

function spendableOf(descriptor: SpendableOutputDescriptor): SpendableOutput {
  if (descriptor instanceof ldk.SpendableOutputDescriptor_StaticOutput) {
    const { outpoint, output } = descriptor;
    return { ...placeOf(outpoint, output), output: { kind: "static" } };
  }
  if (descriptor instanceof ldk.SpendableOutputDescriptor_DelayedPaymentOutput) {
    const of = descriptor.delayed_payment_output;
    return {
      ...placeOf(of.get_outpoint(), of.get_output()),
      output: {
        kind: "delayedPayment",
        perCommitmentPoint: of.get_per_commitment_point(),
        contestDelay: blockDelta(of.get_to_self_delay()),
        revocationPubkey: of.get_revocation_pubkey().get_a(),
        channelKeysId: of.get_channel_keys_id(),
      },
    };
  }
  if (descriptor instanceof ldk.SpendableOutputDescriptor_StaticPaymentOutput) {
    const of = descriptor.static_payment_output;
    return {
      ...placeOf(of.get_outpoint(), of.get_output()),
      output: { kind: "staticPayment", channelKeysId: of.get_channel_keys_id(), csvOne: false },
    };
  }
  throw new Error("an unknown output");
}

const placeOf = (point: OutPoint, output: { value: bigint; script_pubkey: Uint8Array }) => ({
  outpoint: outpointOf(point),
  valueSat: sat(output.value),
  scriptPubkey: output.script_pubkey,
});

/** With zeros where only a wallet that answers with SignBump would look. */
function bumpOf(event: BumpTransactionEvent): BumpTransaction {
  if (event instanceof ldk.BumpTransactionEvent_ChannelClose) {
    const outpoint = outpointOf(event.anchor_descriptor.get_outpoint());
    const anchor = {
      outpoint,
      valueSat: sat(330n),
      scriptPubkey: new Uint8Array(34),
      inputWeight: 0,
    };
    return {
      claimId: hash32(toHex(event.claim_id)),
      targetFeerate: feeratePerKw(event.package_target_feerate_sat_per_1000_weight),
      of: {
        kind: "commitment",
        commitmentTx: event.commitment_tx,
        commitmentFeeSat: sat(event.commitment_tx_fee_satoshis),
        commitmentWeight: 0,
        anchor,
        childVersion: 2,
        childMaxWeight: 0,
        maxFeeSat: sat(0n),
      },
    };
  }
  if (!(event instanceof ldk.BumpTransactionEvent_HTLCResolution)) throw new Error("unknown bump");
  const [first] = event.htlc_descriptors;
  return {
    claimId: hash32(toHex(event.claim_id)),
    targetFeerate: feeratePerKw(event.target_feerate_sat_per_1000_weight),
    of: {
      kind: "htlcs",
      commitmentTxid: txidFromInternal(must(first, "an HTLC").get_commitment_txid()),
      locktime: event.tx_lock_time,
      version: 2,
      maxWeight: 0,
      htlcs: event.htlc_descriptors.map((one) => {
        const { txid: of, vout } = outpointOf(one.outpoint());
        return {
          outpoint: { txid: of, vout },
          valueSat: sat(0n),
          scriptPubkey: new Uint8Array(34),
          inputWeight: 0,
          transaction: new Uint8Array(10),
          maxFeeSat: sat(0n),
        };
      }),
    },
  };
}
