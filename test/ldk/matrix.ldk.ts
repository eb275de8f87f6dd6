/**
 * Goal: real LDK nodes whose ChannelMonitors live only in Farwatch lose nothing, whatever is closed, punished
 * or killed. Method: LDK, manager-service and monitor-service as processes of their own, mutual TLS between
 * them, one real bitcoind; every scenario once for each channel type, and in the end of each a sum over every
 * satoshi of its channels. The table at the end of the run is the result.
 */
import assert from "node:assert/strict";
import { z } from "zod";
import { until } from "../harness/cluster/chain-facts.js";
import type { MonitorClient } from "../harness/cluster/monitor-client.js";
import { toSat } from "../harness/ldk-node/chain-index.js";
import { Lane, LANE_TYPES, type LaneBook } from "../harness/ldk-node/lane.js";
import { Lockstep } from "../harness/ldk-node/lockstep.js";
import { LdkWorld, WALLET_SAT } from "../harness/ldk-node/world.js";
import { ALIVE } from "./scenarios/alive.js";
import { DEATHS, monitorLost } from "./scenarios/deaths.js";
import { everyPoint, KILL_LOOPS } from "./scenarios/kill-loops.js";
import type { Scenario } from "./scenarios/scenario.js";
import { Table } from "./table.js";

/** How many monitor-services each node has. Another may lose one. */
const MONITORS = { A: 1, B: 1, C: 1, D: 2 } as const;
const CONNECTED = [
  ["A", "B"],
  ["B", "C"],
  ["B", "D"],
] as const;

/** B publishes a commitment that its own monitor was told to forget, and the monitor says so. */
const CHEATER = "B";
const FORGOTTEN = "a commitment confirmed that no update has named";
const ALL_NIGHT_MS = 4 * 3_600_000;
/** In this order, one after the other. */
const ALONE = [...DEATHS, ...KILL_LOOPS, monitorLost];

const table = new Table(
  "LDK nodes with their monitors in Farwatch, on a real bitcoind",
  [...ALIVE, ...ALONE].map(({ name }) => name),
);
// Outside of any suite: the last words of the whole run.
after(() => void process.stdout.write(table.lines().join("\n")));

/** Coins at the start, less channels and their funding fees, plus what came back. */
async function walletAddsUp(world: LdkWorld, book: LaneBook, name: string): Promise<void> {
  await world.index.update();
  let expected = WALLET_SAT + (book.toWallets.get(name) ?? 0n);
  for (const { opener, funding } of book.fundings) {
    if (opener === name) expected -= await costOf(world, name, funding);
  }
  const balance = z
    .object({ mine: z.object({ trusted: z.number(), untrusted_pending: z.number() }) })
    .parse(await world.bitcoind.rpc("getbalances", [], world.node(name).plan.wallet));
  const { trusted, untrusted_pending: pending } = balance.mine;
  assert.equal(toSat(trusted) + toSat(pending), expected, `wallet of ${name}`);
}

/** What a funding transaction took out of its owner's wallet. */
async function costOf(world: LdkWorld, name: string, funding: string): Promise<bigint> {
  const tx = world.index.transaction(funding.split(":")[0] ?? "");
  assert.ok(tx !== undefined, `funding transaction of ${funding}`);
  let cost = 0n;
  for (const { txid, vout } of tx.vin) {
    const spent = world.index.transaction(txid ?? "")?.vout[vout ?? 0];
    assert.ok(spent !== undefined, "a coin of the wallet");
    cost += toSat(spent.value);
  }
  for (const { value, scriptPubKey } of tx.vout) {
    if ((await world.index.ownerOf(scriptPubKey.hex)) === name) cost -= toSat(value);
  }
  return cost;
}

async function nothingPending(monitor: MonitorClient, name: string): Promise<void> {
  try {
    await until(`${name} holds no event`, async () => (await monitor.pendingEvents()).length === 0);
  } finally {
    monitor.close();
  }
}

describe("LDK matrix", function () {
  this.timeout(everyPoint ? ALL_NIGHT_MS : 300_000);
  let world: LdkWorld;
  const book: LaneBook = {
    unconfirmed: new Map(),
    nextUserId: 1n,
    toWallets: new Map(),
    fundings: [],
  };
  before(async () => {
    world = await LdkWorld.open({ nodes: MONITORS });
  });
  after(() => world.close());

  /** Scenarios that disturb nobody run side by side. */
  function play(title: string, scenarios: readonly Scenario[]): void {
    describe(title, () => {
      const results = new Map<string, PromiseSettledResult<void>>();
      before(async () => {
        await world.meet(CONNECTED);
        const pace = new Lockstep((blocks) => world.mine(blocks));
        const cells = scenarios.flatMap(({ name, play: act }) =>
          LANE_TYPES.map((type) => ({ name, type, act })),
        );
        const settled = await pace.run(
          cells.map(({ name, type, act }) => async () => {
            const startedAt = Date.now();
            table.started(name, type);
            await act(new Lane(type, world, pace, book));
            table.took(name, Date.now() - startedAt);
          }),
        );
        settled.forEach((result, index) => {
          const cell = cells[index];
          if (cell !== undefined) results.set(`${cell.name} ${cell.type}`, result);
        });
      });
      for (const { name } of scenarios) {
        for (const type of LANE_TYPES) {
          it(`${name}: ${type}`, () => {
            const result = results.get(`${name} ${type}`);
            assert.ok(result !== undefined, "it was played");
            if (result.status === "rejected") throw result.reason;
            table.passed(name, type);
          });
        }
      }
    });
  }

  play("with every process alive", ALIVE);
  for (const scenario of ALONE) play(`alone: ${scenario.name}`, [scenario]);

  describe("all of them together", () => {
    it("leave in every wallet what the channels should have left", async () => {
      for (const { node } of world.members) await walletAddsUp(world, book, node.name);
    });

    it("leave no event that nobody has handled", async () => {
      for (const { node, services } of world.members) {
        for (const { connect, name, process } of services?.monitors ?? []) {
          if (process.isRunning) await nothingPending(connect(), `${name} of ${node.name}`);
        }
      }
    });

    it("leave logs without an error and without a preimage", async () => {
      for (const { node, services } of world.members) {
        const claimed = await world.log(node.name).find("PaymentSent");
        const preimages = claimed.map((event) => String(event["payment_preimage"]));
        for (const one of services === undefined ? [] : [services.manager, ...services.monitors]) {
          const { log } = "process" in one ? one.process : one;
          const errors = log
            .filter((line) => /"level":"(error|fatal)"/.test(line))
            .filter((line) => node.name !== CHEATER || !line.includes(FORGOTTEN));
          assert.deepEqual(errors, [], node.name);
          const text = log.join("\n");
          assert.ok(!preimages.some((preimage) => text.includes(preimage)), "a preimage in a log");
        }
      }
    });
  });
});
