/**
 * Goal: real LDK nodes whose ChannelMonitors live only in Farwatch lose nothing, whatever is closed, punished
 * or killed. Method: LDK, manager-service and monitor-service as processes of their own, mutual TLS between
 * them, one real bitcoind; every scenario once for each channel type, and in the end of each a sum over every
 * satoshi of its channels. The table at the end of the run is the result.
 */
import assert from "node:assert/strict";
import { Lane, LANE_TYPES, type LaneBook } from "../harness/ldk-node/lane.js";
import { Lockstep } from "../harness/ldk-node/lockstep.js";
import { LdkWorld } from "../harness/ldk-node/world.js";
import { ALIVE } from "./scenarios/alive.js";
import { DEATHS } from "./scenarios/deaths.js";
import type { Scenario } from "./scenarios/scenario.js";
import { Table } from "./table.js";

/** How many monitor-services each node has. Another may lose one. */
const MONITORS = { A: 1, B: 1, C: 1, D: 2 } as const;
const CONNECTED = [
  ["A", "B"],
  ["B", "C"],
  ["B", "D"],
] as const;

const table = new Table(
  "LDK nodes with their monitors in Farwatch, on a real bitcoind",
  [...ALIVE, ...DEATHS].map(({ name }) => name),
);
// Outside of any suite: the last words of the whole run.
after(() => void process.stdout.write(table.lines().join("\n")));

describe("LDK matrix", function () {
  this.timeout(300_000);
  let world: LdkWorld;
  const book: LaneBook = {
    unconfirmed: new Map(),
    nextUserId: 1n,
    toWallets: new Map(),
    fundings: [],
  };
  before(async () => {
    world = await LdkWorld.open({ nodes: MONITORS });
    for (const [from, to] of CONNECTED) await world.connect(from, to);
  });
  after(() => world.close());

  /** Scenarios that disturb nobody run side by side. */
  function play(title: string, scenarios: readonly Scenario[]): void {
    describe(title, () => {
      const results = new Map<string, PromiseSettledResult<void>>();
      before(async () => {
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
  for (const scenario of DEATHS) play(`with deaths: ${scenario.name}`, [scenario]);
});
