/**
 * The few fields the bindings do not give out, read from LDK 0.1's bytes: the head of a ChannelMonitor
 * and the step names of a ChannelMonitorUpdate (rust: chain/channelmonitor.rs).
 */
import { toHex } from "@farwatch/protocol/bytes";
import { Reader } from "./reader.js";

export interface MonitorHead {
  readonly obscure_factor: string;
  readonly destination_script: string;
  readonly counterparty_payment_script: string;
  readonly shutdown_script: string;
  readonly channel_keys_id: string;
}

const HAS_BROADCASTED_POINTS = 0;
const POINT_BYTES = 33;

export function monitorHead(monitor: Uint8Array): MonitorHead {
  const from = new Reader(monitor);
  from.take(2); // serialization version and its minimum
  from.u64(); // latest update id
  const obscure_factor = toHex(from.take(6));
  const destination_script = toHex(from.script());
  if (from.uint(1) === HAS_BROADCASTED_POINTS) {
    from.script();
    from.take(2 * POINT_BYTES);
  }
  const counterparty_payment_script = toHex(from.script());
  const shutdown_script = toHex(from.script());
  const channel_keys_id = toHex(from.take(32));
  return {
    obscure_factor,
    destination_script,
    counterparty_payment_script,
    shutdown_script,
    channel_keys_id,
  };
}

const STEP_NAMES = [
  "LatestHolderCommitmentTXInfo",
  "LatestCounterpartyCommitmentTXInfo",
  "PaymentPreimage",
  "CommitmentSecret",
  "ChannelForceClosed",
  "ShutdownScript",
] as const;

export function updateSteps(update: Uint8Array): { id: bigint; steps: string[] } {
  const from = new Reader(update);
  from.take(2);
  const id = from.u64();
  const count = Number(from.u64());
  const steps: string[] = [];
  for (let nth = 0; nth < count; nth++) {
    const tag = from.uint(1);
    steps.push(STEP_NAMES[tag] ?? `unknown step ${tag}`);
    from.tlvStream();
  }
  return { id, steps };
}
