/** Plays one scenario and returns its document. */
import type { Fixture } from "./fixture/document.js";
import { fixtureOf } from "./fixture/write.js";
import { loadLdk } from "./ldk/module.js";
import { Run, type RunOptions } from "./run.js";
import type { Scenario } from "./scenarios/scenario.js";

/** A run that went wrong, with the end of LDK's own log. */
export class RecordingFailed extends Error {
  override readonly name = "RecordingFailed";
  constructor(
    cause: unknown,
    readonly ldkLog: readonly string[],
  ) {
    super(`the run failed: ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
  }
}

export type Choice = Omit<RunOptions, "scenario" | "nodes">;

export async function record(scenario: Scenario, choice: Choice): Promise<Fixture> {
  const version = await loadLdk();
  const run = await Run.start({ ...choice, scenario: scenario.name, nodes: scenario.nodes });
  try {
    scenario.play(run);
    for (const node of run.network.nodes) node.balances("final");
    return fixtureOf(run, scenario.doc, version);
  } catch (error) {
    throw new RecordingFailed(error, run.log);
  } finally {
    await run.chain.stop();
  }
}
