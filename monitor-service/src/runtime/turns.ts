/**
 * One decision at a time per manager, in the order of arrival, and a count of what is under way. Only
 * deciding waits for its turn; commits of several batches overlap.
 */
import type { ManagerKey } from "@farwatch/protocol/ids";

interface Line {
  last: Promise<unknown>;
  inFlight: number;
}

export class Turns {
  readonly #lines = new Map<ManagerKey, Line>();

  /** False, with nothing counted, when `count` more would exceed the limit. */
  enter(manager: ManagerKey, count: number, limit: number): boolean {
    const line = this.#line(manager);
    if (line.inFlight + count > limit) return false;
    line.inFlight += count;
    return true;
  }

  leave(manager: ManagerKey, count: number): void {
    this.#line(manager).inFlight -= count;
  }

  /** Runs `work` after the manager's earlier turns have ended, whether they failed or not. */
  take<T>(manager: ManagerKey, work: () => Promise<T>): Promise<T> {
    const line = this.#line(manager);
    const turn = line.last.then(work);
    line.last = turn.catch(() => undefined); // its own caller has the error
    return turn;
  }

  #line(manager: ManagerKey): Line {
    const known = this.#lines.get(manager);
    if (known !== undefined) return known;
    const line: Line = { last: Promise.resolve(), inFlight: 0 };
    this.#lines.set(manager, line);
    return line;
  }
}
