/**
 * What it costs an LDK node that its ChannelMonitors are elsewhere: the same payments with LDK's own
 * ChainMonitor in the process and through RemoteWatch. The baseline is the ChainMonitor whose Persist makes
 * each update durable in a file.
 */
import { randomBytes } from "node:crypto";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { must } from "@farwatch/protocol/assert";
import type { Regtest } from "../../harness/bitcoind/node.js";
import { durationRow, rateRow, type Row } from "../report.js";
import { FileWatch } from "./file-watch.js";
import { bestOf, run, type Load, type Run } from "./load.js";
import { Market } from "./market.js";
import type { Saving } from "./payer.js";
import { pidsOf, remoteWatch, withServices } from "./services.js";
import type { Tell } from "./tell.js";

export interface PaymentSizes {
  readonly channels: number;
  /** Payments one after another over one channel, and payments with `inFlight` under way over all. */
  readonly oneByOne: number;
  readonly together: number;
  readonly inFlight: number;
  /** Every figure is the best of so many runs, taken in turn: other work on the machine comes and goes. */
  readonly rounds: number;
}

/** A save in every turn of the event loop that changed something, as LDK's own loop saves. */
const EVERY_TURN: Saving = { when: "changed", everyMs: 0 };
const ASKED: Saving = { when: "asked", everyMs: 0 };
/** Ms between saves of the ChannelManager. */
const SAVE_INTERVALS = [10, 50] as const;

interface Contest {
  readonly name: string;
  readonly market: Market;
  readonly load: Load;
  readonly services: readonly number[];
}

export async function paymentRows(
  bitcoind: Regtest,
  sizes: PaymentSizes,
  tell: Tell,
): Promise<readonly Row[]> {
  const seed = Uint8Array.from(randomBytes(32));
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), "farwatch-bench-ldk-"));
  try {
    return await withServices(bitcoind, seed, async (cluster) => {
      const subfolder = (name: string): string => {
        fs.mkdirSync(path.join(folder, name));
        return path.join(folder, name);
      };
      const common = { seed, channels: sizes.channels };
      const local = (kept: string | undefined): Promise<Market> =>
        Market.open({ ...common, folder: kept, watch: (own) => new FileWatch(own, kept) });
      const bare = await local(undefined);
      const durable = await local(subfolder("local"));
      const watch = remoteWatch(cluster);
      const remote = await Market.open({ ...common, folder: subfolder("remote"), watch });
      try {
        const contests = [
          ...contestsOf("bare", bare, sizes),
          ...contestsOf("durable", durable, sizes),
          ...contestsOf("remote", remote, sizes, pidsOf(cluster)),
        ];
        return rowsOf(new Figures(await measured(contests, sizes.rounds, tell)), sizes);
      } finally {
        for (const { payer } of [bare, durable, remote]) await payer.stop();
      }
    });
  } finally {
    fs.rmSync(folder, { recursive: true });
  }
}

function contestsOf(
  who: string,
  market: Market,
  { oneByOne, together, inFlight }: PaymentSizes,
  services: readonly number[] = [],
): readonly Contest[] {
  const contest = (name: string, load: Load) => ({
    name: `${who} ${name}`,
    market,
    load,
    services,
  });
  const one = { payments: oneByOne, inFlight: 1 };
  const many = { payments: together, inFlight };
  const always = [
    contest("one", { ...one, saving: EVERY_TURN }),
    contest("many", { ...many, saving: EVERY_TURN }),
  ];
  if (services.length === 0) return always;
  return [
    ...always,
    contest("one asked", { ...one, saving: ASKED }),
    contest("many asked", { ...many, saving: ASKED }),
    ...SAVE_INTERVALS.map((everyMs) =>
      contest(`many ${everyMs}`, { ...many, saving: { when: "asked", everyMs } }),
    ),
  ];
}

/** The first round only warms up: compiled code, open connections, grown databases. */
async function measured(
  contests: readonly Contest[],
  rounds: number,
  tell: Tell,
): Promise<Map<string, Run>> {
  const runs = new Map(contests.map(({ name }): [string, Run[]] => [name, []]));
  for (let round = 0; round <= rounds; round++) {
    for (const { name, market, load, services } of contests) {
      const made = await run(market, load, services);
      tell(progress(round, name, made));
      if (round > 0) must(runs.get(name), name).push(made);
    }
  }
  return new Map([...runs].map(([name, made]) => [name, bestOf(made)]));
}

const progress = (round: number, name: string, made: Run): string => {
  const words = Object.entries(made).map(
    ([what, value]) => `${what} ${Number(value).toPrecision(3)}`,
  );
  return `${round === 0 ? "warm-up" : `run ${round}`}, ${name}: ${words.join(", ")}`;
};

class Figures {
  constructor(private readonly runs: ReadonlyMap<string, Run>) {}

  of(name: string): Run {
    return must(this.runs.get(name), name);
  }

  /** `limit`: another run by its name, and what the table calls it. */
  updates(what: string, name: string, [limit, called]: readonly [string, string]): Row {
    const value = this.of(limit).updatesPerSecond;
    return rateRow(what, "updates/s", this.of(name).updatesPerSecond, { name: called, value });
  }
  payments(what: string, name: string, [limit, called]: readonly [string, string]): Row {
    const value = this.of(limit).paymentsPerSecond;
    return rateRow(what, "payments/s", this.of(name).paymentsPerSecond, { name: called, value });
  }
  times(
    what: string,
    of: (run: Run) => number,
    name: string,
    [limit, called]: readonly [string, string],
  ): Row {
    return durationRow(what, of(this.of(name)), { name: called, value: of(this.of(limit)) });
  }
}

function rowsOf(figures: Figures, { inFlight, channels }: PaymentSizes): readonly Row[] {
  const baseline = "baseline: ChainMonitor in the process, each update to a file with fdatasync";
  const cpu = (made: Run): number => made.nodeCpuMs + made.servicesCpuMs;
  const rowsFor = (load: "one" | "many", label: string): readonly Row[] => {
    const against = [`durable ${load}`, baseline] as const;
    return [
      figures.updates(`${label}: ChainMonitor, nothing written`, `bare ${load}`, against),
      figures.updates(`${label}: RemoteWatch`, `remote ${load}`, against),
      figures.updates(`${label}: RemoteWatch, saves it asks for`, `remote ${load} asked`, against),
      ...(load === "one"
        ? []
        : SAVE_INTERVALS.map((ms) => {
            const what = `${label}: RemoteWatch, a save per ${ms} ms`;
            return figures.updates(what, `remote many ${ms}`, against);
          })),
      figures.times(
        `${label}: RemoteWatch, update to Completed p50`,
        (made) => made.p50,
        `remote ${load} asked`,
        against,
      ),
      figures.times(
        `${label}: RemoteWatch, update to Completed p99`,
        (made) => made.p99,
        `remote ${load} asked`,
        against,
      ),
      figures.times(
        `${label}: CPU of the node an update`,
        (made) => made.nodeCpuMs,
        `remote ${load} asked`,
        against,
      ),
      figures.times(
        `${label}: CPU of all processes an update`,
        cpu,
        `remote ${load} asked`,
        against,
      ),
    ];
  };
  const many = `${inFlight} in flight, ${channels} channels`;
  return [
    ...rowsFor("one", "LDK, one by one"),
    ...rowsFor("many", `LDK, ${many}`),
    figures.payments(`gain of ${many}: RemoteWatch`, "remote many asked", [
      "remote one asked",
      "RemoteWatch, one by one",
    ]),
    figures.payments(`gain of ${many}: ChainMonitor`, "durable many", [
      "durable one",
      "ChainMonitor, one by one",
    ]),
  ];
}
