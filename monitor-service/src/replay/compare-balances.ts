/** Balances: at the end, and wherever the recording tells its own. */
import type { Journal } from "./journal.js";
import type { BalanceShape, ExpectationShape } from "./recording-shape.js";
import { multisetDiff, type Verdict } from "./verdict.js";

export function compareBalances({ final_balances }: ExpectationShape, journal: Journal): Verdict {
  const last = journal.balances.at(-1)?.balances ?? [];
  const along = journal.balances.flatMap(({ height, recorded, balances }) =>
    recorded === undefined
      ? []
      : multisetDiff(`balance at ${height}`, recorded.map(line), balances.map(line)),
  );
  const atEnd = multisetDiff("final balance", final_balances.map(line), last.map(line));
  return { problems: [...along, ...atEnd], deliberate: [] };
}

const line = (balance: BalanceShape): string =>
  Object.entries(balance)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, value]) => `${name} ${String(value)}`)
    .join(", ");
