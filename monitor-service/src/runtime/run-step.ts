/**
 * Decide, commit, then let out. The whole safety of the monitor hangs on this order: nothing (receipt,
 * event, broadcast, answer) leaves before the transaction that justifies it is on disk.
 */
import type { Core } from "./core.js";
import { Draft } from "./draft.js";
import { raiseFloors } from "./raise-floors.js";

/**
 * Runs `decide` at once: it moves memory synchronously, and its operations are handed to the store in
 * the same turn. Resolves with its answer after they are durable. Rejects only when the process must
 * end: the store failed, or `decide` threw after memory may have moved.
 */
export async function runStep<T>(core: Core, decide: (draft: Draft) => T): Promise<T> {
  const draft = new Draft();
  let answer: T;
  let committed: Promise<void>;
  let moved: ReturnType<Draft["moved"]>;
  try {
    answer = decide(draft);
    moved = draft.moved();
    committed = core.commits.append(draft.finish());
  } catch (error) {
    throw core.commits.fail(error);
  }

  await committed;
  await raiseFloors(core, moved);
  await core.deps.failpoint?.("afterCommit");

  for (const { settle } of moved) settle();
  for (const entry of draft.archived) core.archive.settled(entry);
  for (const { entry, pending } of draft.events) {
    pending.committed = true;
    core.feed.news(entry.managerKey, entry.channelId);
  }
  await core.deps.failpoint?.("afterEvents");
  for (const { entry } of moved) core.publisher.request(entry);

  await core.deps.failpoint?.("beforeReply");
  return answer;
}
