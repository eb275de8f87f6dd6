/**
 * What the node has seen, for comparing two runs of a scenario: per fact what it said, whatever the
 * order and however often it was delivered before it was handled. Telling a handled fact again, telling
 * one fact under two item ids or with two contents, is a failure of its own.
 */
import type { Item } from "@farwatch/protocol/gen/manager/v1/event";
import { contentOf, type Recorder } from "./recorder.js";

/** Semantic key to content of user events. Commands are derived from state and come as often as needed. */
export type History = ReadonlyMap<string, string>;

/** Level-triggered items (bump requests) have no id; they are not part of the history. */
const NO_ITEM = 0n;
const counts = ({ itemId, item }: Item): boolean => itemId !== NO_ITEM && item?.$case !== "command";

export function historyOf(record: Recorder): History {
  const history = new Map<string, string>();
  for (const { key, item } of record.of("told")) {
    if (counts(item)) history.set(key, contentOf(item));
  }
  return history;
}

/** Why the node was told something twice; empty when it was not. */
export function repetitions(record: Recorder): readonly string[] {
  const found: string[] = [];
  const ids = new Map<string, bigint>();
  const contents = new Map<string, string>();
  const handled = new Set<bigint>();
  for (const entry of record.entries) {
    if (entry.kind === "handled") handled.add(entry.itemId);
    if (entry.kind !== "told" || !counts(entry.item)) continue;
    const { key, itemId, item } = entry;
    if (handled.has(itemId)) found.push(`${key}: told again after it was handled`);
    if ((ids.get(key) ?? itemId) !== itemId) found.push(`${key}: told under two item ids`);
    const content = contentOf(item);
    if ((contents.get(key) ?? content) !== content) found.push(`${key}: told with two contents`);
    ids.set(key, itemId);
    contents.set(key, content);
  }
  return found;
}

/** How one history differs from another; empty when it does not. */
export function differences(expected: History, found: History): readonly string[] {
  const missing = [...expected.keys()].filter((key) => !found.has(key));
  const extra = [...found.keys()].filter((key) => !expected.has(key));
  const other = [...expected].filter(([key, content]) => (found.get(key) ?? content) !== content);
  return [
    ...missing.map((key) => `never told: ${key}`),
    ...extra.map((key) => `told only with the crash: ${key}`),
    ...other.map(([key]) => `told differently: ${key}`),
  ];
}
