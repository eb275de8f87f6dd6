/** The events a node's application has stored, read over IPC as they grow; a node's death loses none of them. */
import type { JsonObject } from "../../fixture-recorder/ldk/json.js";
import { until } from "../cluster/chain-facts.js";
import { NodeDied, type LdkProcess } from "./ldk-process.js";

export type Match = Readonly<Record<string, string | number>>;

export class EventLog {
  readonly #known: JsonObject[] = [];

  constructor(private readonly node: LdkProcess) {}

  /** All of a type whose fields are these. */
  async find(type: string, match: Match = {}): Promise<readonly JsonObject[]> {
    if (this.node.isRunning) await this.#read();
    return this.#known.filter(
      (event) =>
        event["type"] === type &&
        Object.entries(match).every(([field, value]) => event[field] === value),
    );
  }

  /** One reading at a time, shared by all who ask meanwhile: else events would be counted twice. */
  #read(): Promise<void> {
    this.#reading ??= this.node
      .call("events", { since: this.#known.length })
      .then((events) => void this.#known.push(...events))
      .catch((error: unknown) => {
        if (!(error instanceof NodeDied)) throw error; // what it has told is known, and it comes back
      })
      .finally(() => (this.#reading = undefined));
    return this.#reading;
  }
  #reading: Promise<void> | undefined;

  async until(type: string, match: Match = {}, timeoutMs = 30_000): Promise<JsonObject> {
    let found: JsonObject | undefined;
    await until(
      `${type} ${JSON.stringify(match)} at ${this.node.name}`,
      async () => (found = (await this.find(type, match))[0]) !== undefined,
      timeoutMs,
    );
    if (found === undefined) throw new Error(`${type} went away`);
    return found;
  }
}
