/** Payments through a market, and what they cost: the figures of one run, and the best of several. */
import { assert, must } from "@farwatch/protocol/assert";
import { elapsedMs, perSecond } from "../clock.js";
import { cpuMs, cpuMsOf } from "./cpu.js";
import type { Market } from "./market.js";
import type { Saving } from "./payer.js";

export interface Load {
  readonly payments: number;
  /** Under way at once; 1: the next one begins when the last left nothing to do. */
  readonly inFlight: number;
  readonly saving: Saving;
}

export interface Run {
  readonly updatesPerSecond: number;
  readonly paymentsPerSecond: number;
  readonly updatesPerPayment: number;
  readonly savesPerUpdate: number;
  /** From update_channel until Completed, ms. */
  readonly p50: number;
  readonly p99: number;
  /** Ms of CPU time an update: of this process, in which both nodes are, and of the services. */
  readonly nodeCpuMs: number;
  readonly servicesCpuMs: number;
}

/** `services`: process ids. */
export async function run(market: Market, load: Load, services: readonly number[]): Promise<Run> {
  const { payer } = market;
  payer.saving = load.saving;
  await market.settle();
  payer.timed.takeLatencies();
  market.settled();
  const before = { saves: payer.saves, node: cpuMs(process.pid), services: cpuMsOf(services) };
  const ms = await elapsedMs(() => (load.inFlight === 1 ? oneByOne : together)(market, load));
  const latencies = payer.timed.takeLatencies();
  const updates = latencies.length;
  const made = {
    updatesPerSecond: perSecond(updates, ms),
    paymentsPerSecond: perSecond(load.payments, ms),
    updatesPerPayment: updates / load.payments,
    savesPerUpdate: (payer.saves - before.saves) / updates,
    p50: percentile(latencies, 0.5),
    p99: percentile(latencies, 0.99),
    nodeCpuMs: (cpuMs(process.pid) - before.node) / updates,
    servicesCpuMs: (cpuMsOf(services) - before.services) / updates,
  };
  market.forget();
  await market.settle();
  return made;
}

async function oneByOne(market: Market, { payments }: Load): Promise<void> {
  for (let sent = 0; sent < payments; sent++) {
    market.pay("first");
    await market.settle();
    assert(market.settled() === 1, "a payment comes to its end");
  }
}

async function together(market: Market, { payments, inFlight }: Load): Promise<void> {
  let underWay = 0;
  for (let sent = 0; sent < payments;) {
    while (sent < payments && underWay < inFlight) {
      market.pay("all");
      sent += 1;
      underWay += 1;
    }
    await market.turn();
    underWay -= market.settled();
  }
  await market.settle();
}

/** The best figure of each kind: what is worse came from other work on the machine. */
export function bestOf(runs: readonly Run[]): Run {
  const most = (of: (run: Run) => number): number => Math.max(...runs.map(of));
  const least = (of: (run: Run) => number): number => Math.min(...runs.map(of));
  return {
    updatesPerSecond: most((one) => one.updatesPerSecond),
    paymentsPerSecond: most((one) => one.paymentsPerSecond),
    updatesPerPayment: least((one) => one.updatesPerPayment),
    savesPerUpdate: least((one) => one.savesPerUpdate),
    p50: least((one) => one.p50),
    p99: least((one) => one.p99),
    nodeCpuMs: least((one) => one.nodeCpuMs),
    servicesCpuMs: least((one) => one.servicesCpuMs),
  };
}

function percentile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return must(sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))], "a value");
}
