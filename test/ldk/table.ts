/** What ran and how it went, printed as one table at the end of the run: a line per scenario. */
import { LANE_TYPES, type LaneType } from "../harness/ldk-node/lane.js";

type Mark = "ok" | "FAIL" | "missing";

const WIDTH = Math.max(...LANE_TYPES.map((name) => name.length)) + 2;

export class Table {
  readonly #marks = new Map<string, Mark>();
  readonly #seconds = new Map<string, number>();

  constructor(
    readonly title: string,
    private readonly scenarios: readonly string[],
  ) {}

  passed(scenario: string, type: LaneType): void {
    this.#marks.set(`${scenario} ${type}`, "ok");
  }
  /** A cell counts as failed from its start until it has passed. */
  started(scenario: string, type: LaneType): void {
    this.#marks.set(`${scenario} ${type}`, "FAIL");
  }
  took(scenario: string, ms: number): void {
    this.#seconds.set(scenario, ms / 1_000);
  }

  mark(scenario: string, type: LaneType): Mark {
    return this.#marks.get(`${scenario} ${type}`) ?? "missing";
  }

  lines(): readonly string[] {
    const width = Math.max(...this.scenarios.map((name) => name.length)) + 2;
    const row = (name: string, cells: readonly string[], end: string): string =>
      `${name.padEnd(width)}${cells.map((cell) => cell.padEnd(WIDTH)).join("")}${end}`.trimEnd();
    const marks = this.scenarios.map((name) => LANE_TYPES.map((type) => this.mark(name, type)));
    const count = (mark: Mark): number => marks.flat().filter((one) => one === mark).length;
    return [
      "",
      this.title,
      row("scenario", LANE_TYPES, "both, s"),
      ...this.scenarios.map((name, index) =>
        row(name, marks[index] ?? [], this.#seconds.get(name)?.toFixed(1) ?? ""),
      ),
      `${count("ok")} passed, ${count("FAIL")} failed, ${count("missing")} missing`,
      "",
    ];
  }
}
