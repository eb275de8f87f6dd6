/**
 * Carries the core's holder floors to the signer's own durable memory: after the commit that raises one,
 * before its receipt lets the node revoke what is below. In this order a crash in between leaves the
 * signer with the older floor, and nothing was revoked yet.
 */
import type { Core } from "./core.js";
import type { Draft } from "./draft.js";

/** Rejects only when the process must end: a floor that is not durable may not be relied on. */
export async function raiseFloors(core: Core, moved: ReturnType<Draft["moved"]>): Promise<void> {
  const { floors } = core.deps;
  const raised = moved.flatMap(({ entry: { channelId }, holderFloor: number }) =>
    number !== undefined && number > (floors.floorOf(channelId) ?? -1)
      ? [{ channelId, number }]
      : [],
  );
  try {
    await floors.raise(raised);
  } catch (error) {
    throw core.commits.fail(error);
  }
}
