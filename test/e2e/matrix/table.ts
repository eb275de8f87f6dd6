/** What ran and how it went, printed as one table at the end of the run: a line per type and close. */
import { CHANNEL_TYPES } from "@farwatch/protocol/channel";
import { cellName, CLOSES, PENDING, type CellId, type Close } from "./cells.js";

type Mark = "ok" | "FAIL" | "missing";

const WIDTH = 11;

export class Table {
  readonly #marks = new Map<string, Mark>();
  readonly #seconds = new Map<Close, number>();

  /** A cell counts as failed from its start until it has passed. */
  started(id: CellId): void {
    this.#marks.set(cellName(id), "FAIL");
  }
  passed(id: CellId): void {
    this.#marks.set(cellName(id), "ok");
  }
  took(close: Close, ms: number): void {
    this.#seconds.set(close, ms / 1000);
  }

  mark(id: CellId): Mark {
    return this.#marks.get(cellName(id)) ?? "missing";
  }

  /** How many cells have this mark. */
  count(mark: Mark): number {
    return CHANNEL_TYPES.flatMap((type) =>
      CLOSES.flatMap((close) => PENDING.map((pending) => this.mark({ type, close, pending }))),
    ).filter((found) => found === mark).length;
  }

  /** Lines of text; the seconds stand behind the first type, for all types together. */
  lines(): readonly string[] {
    const typeWidth = Math.max(...CHANNEL_TYPES.map((name) => name.length)) + 2;
    const closeWidth = Math.max(...CLOSES.map((name) => name.length)) + 2;
    const row = (type: string, close: string, marks: readonly string[], end: string): string => {
      const cells = marks.map((mark) => mark.padEnd(WIDTH)).join("");
      return `${type.padEnd(typeWidth)}${close.padEnd(closeWidth)}${cells}${end}`.trimEnd();
    };
    const rows = CHANNEL_TYPES.flatMap((type) =>
      CLOSES.map((close) => {
        const marks = PENDING.map((pending) => this.mark({ type, close, pending }));
        const seconds = type === CHANNEL_TYPES[0] ? this.#seconds.get(close) : undefined;
        return row(type, close, marks, seconds?.toFixed(1) ?? "");
      }),
    );
    const [ok, failed, missing] = [this.count("ok"), this.count("FAIL"), this.count("missing")];
    return [
      "",
      "On-chain matrix on a real bitcoind",
      row("channel type", "close", PENDING, "all types, s"),
      ...rows,
      `${ok} passed, ${failed} failed, ${missing} missing`,
      "",
    ];
  }
}
