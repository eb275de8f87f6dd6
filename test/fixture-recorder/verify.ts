/**
 * Proves that a recording suffices: a fresh KeysManager from the recorded seed and a bare ChannelMonitor
 * are given the recorded bytes (initial monitor, updates, blocks, fees) and nothing else, and must come to
 * the same events, spendable outputs, bump requests, own transactions and balances at the same heights.
 */
import { must } from "@farwatch/protocol/assert";
import { fromHex } from "@farwatch/protocol/bytes";
import type { ChannelMonitor, ChannelMonitorUpdate, KeysManager } from "lightningdevkit";
import { Transaction } from "bitcoinjs-lib";
import { transactionsOf } from "./fixture/confirmed.js";
import type {
  ExpectedNode,
  FeeTable,
  Fixture,
  RecordedBlock,
  RecordedNode,
  TimelineEntry,
} from "./fixture/document.js";
import { monitorEvent, spendableOutput } from "./fixture/expect.js";
import { describe, describeBalance, describeMonitorEvent } from "./ldk/describe.js";
import type { Json, JsonObject } from "./ldk/json.js";
import { ldk } from "./ldk/module.js";
import { readMonitor } from "./ldk/monitor.js";
import { okOf } from "./ldk/result.js";
import { broadcaster, eventHandler, feeEstimator, logger } from "./ldk/traits.js";

/** One line per difference; empty when the file suffices. */
export function differencesOfReplay(fixture: Fixture): string[] {
  return Object.entries(fixture.nodes).flatMap(([name, node]) => {
    const expected = must(fixture.expect[name], `expect of ${name}`);
    return new Replay(fixture, node).run(expected).map((line) => `${name}: ${line}`);
  });
}

class Replay {
  readonly #keys: KeysManager;
  readonly #monitors = new Map<string, ChannelMonitor>();
  readonly #blocks: ReadonlyMap<string, RecordedBlock>;
  readonly #broadcaster = broadcaster((raws) => this.#broadcast(raws));
  readonly #feeEstimator = feeEstimator(() => this.#fees);
  readonly #logger = logger(() => undefined);
  readonly #firstHeights = new Map<string, number>();
  readonly #events: JsonObject[] = [];
  readonly #spendable: JsonObject[] = [];
  readonly #bumps: Record<string, number> = {};
  #fees: FeeTable;
  #height = 0;

  constructor(
    fixture: Fixture,
    private readonly node: RecordedNode,
  ) {
    this.#fees = fixture.fee_estimates_sat_per_kw;
    const blocks = [...fixture.blocks, ...reorganizedBlocks(fixture)];
    this.#blocks = new Map(blocks.map((block) => [block.hash, block]));
    const { seed, starting_time_secs, starting_time_nanos } = node;
    this.#keys = ldk.KeysManager.constructor_new(
      fromHex(seed),
      BigInt(starting_time_secs),
      starting_time_nanos,
    );
  }

  run(expected: ExpectedNode): string[] {
    for (const entry of this.node.timeline) {
      this.#apply(entry);
      this.#drain();
    }
    const balances = [...this.#monitors.values()].flatMap((monitor) =>
      monitor.get_claimable_balances().map(describeBalance),
    );
    const ours = expected.confirmed_broadcasts.filter(({ via }) => via === "monitor");
    const replayed = ours.map((tx) => ({
      ...tx,
      first_height: this.#firstHeights.get(String(tx["txid"])) ?? null,
    }));
    return [
      ...compare("monitor_events", expected.monitor_events, this.#events),
      ...compare("spendable_outputs", expected.spendable_outputs, this.#spendable),
      ...compare("confirmed_broadcasts", ours, replayed),
      ...compare("bump_events", [expected.bump_events], [this.#bumps]),
      ...compare("final_balances", expected.final_balances, balances),
    ];
  }

  #apply(entry: TimelineEntry): void {
    switch (entry.type) {
      case "watch_channel":
        this.#monitors.set(entry.channel, readMonitor(this.#keys, fromHex(entry.monitor)));
        break;
      case "update_channel":
        this.#update(must(this.#monitors.get(entry.channel), entry.channel), entry.update);
        break;
      case "block_connected":
        this.#height = entry.height;
        this.#connect(this.#block(entry.hash));
        break;
      case "block_disconnected":
        this.#height = entry.height - 1;
        this.#disconnect(this.#block(entry.hash));
        break;
      case "fees":
        this.#fees = entry.fees;
        break;
      case "start":
        this.#height = Number(entry.best_block["height"]);
        break;
      default: // what the run concluded, which is what we compare with
    }
  }

  /** After a close LDK answers an error although it applied the update; both are fine here. */
  #update(monitor: ChannelMonitor, hex: string): void {
    const read = ldk.ChannelMonitorUpdate.constructor_read(fromHex(hex));
    const Ok = ldk.Result_ChannelMonitorUpdateDecodeErrorZ_OK;
    const update: ChannelMonitorUpdate = okOf(read, Ok, "reading an update").res;
    monitor.update_monitor(update, this.#broadcaster, this.#feeEstimator, this.#logger);
  }

  #connect(block: RecordedBlock): void {
    const transactions = transactionsOf(block.raw).map((tx, pos) =>
      ldk.TwoTuple_usizeTransactionZ.constructor_new(pos, tx.toBuffer()),
    );
    for (const monitor of this.#monitors.values()) {
      monitor.block_connected(
        fromHex(block.header),
        transactions,
        block.height,
        this.#broadcaster,
        this.#feeEstimator,
        this.#logger,
      );
    }
  }

  #disconnect(block: RecordedBlock): void {
    for (const monitor of this.#monitors.values()) {
      monitor.block_disconnected(
        fromHex(block.header),
        block.height,
        this.#broadcaster,
        this.#feeEstimator,
        this.#logger,
      );
    }
  }

  #drain(): void {
    for (const [channel, monitor] of this.#monitors) {
      for (const event of monitor.get_and_clear_pending_monitor_events()) {
        this.#events.push(monitorEvent(describeMonitorEvent(event), channel, this.#height));
      }
      const handler = eventHandler((event) => {
        if (event instanceof ldk.Event_BumpTransaction) {
          const type = event.bump_transaction.constructor.name.replace("BumpTransactionEvent_", "");
          this.#bumps[type] = (this.#bumps[type] ?? 0) + 1;
        } else if (event instanceof ldk.Event_SpendableOutputs) {
          const outputs = event.outputs.map((output) => describe(output));
          this.#spendable.push(...outputs.map((output) => spendableOutput(output, this.#height)));
        }
      });
      monitor.process_pending_events(handler, this.#logger);
    }
  }

  #broadcast(raws: readonly string[]): void {
    for (const raw of raws) {
      const txid = Transaction.fromHex(raw).getId();
      if (!this.#firstHeights.has(txid)) this.#firstHeights.set(txid, this.#height);
    }
  }

  #block(hash: string): RecordedBlock {
    return must(this.#blocks.get(hash), `block ${hash}`);
  }
}

function reorganizedBlocks(fixture: Fixture): RecordedBlock[] {
  return [...(fixture.meta?.reorged_blocks ?? [])];
}

/** As multisets: LDK's order within a block is that of hash maps. */
function compare(
  what: string,
  expected: readonly JsonObject[],
  got: readonly JsonObject[],
): string[] {
  const missing = expected.map(canonical);
  const extra: string[] = [];
  for (const text of got.map(canonical)) {
    const at = missing.indexOf(text);
    if (at >= 0) missing.splice(at, 1);
    else extra.push(text);
  }
  return [
    ...missing.map((text) => `${what}: the file has ${text}, the replay has not`),
    ...extra.map((text) => `${what}: the replay has ${text}, the file has not`),
  ];
}

const canonical = (value: Json): string => JSON.stringify(sorted(value));

function sorted(value: Json): Json {
  if (typeof value !== "object" || value === null) return value;
  if (value instanceof Array) return value.map(sorted);
  return Object.fromEntries(
    Object.entries(value)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, item]) => [key, sorted(item)]),
  );
}
