/** Blocks up to and over the depth at which a failure is final, and what B has told by then. */
import assert from "node:assert/strict";
import { toHex } from "@farwatch/protocol/bytes";
import type { World } from "../world/world.js";
import { FINAL_DEPTH } from "./chain.js";
import { endOf, failsTold, nameOf, type Forward } from "./forwards.js";

/** After the block that decides: as many empty ones as leave it one short of final. */
export async function almostFinal(world: World): Promise<void> {
  await world.mine(FINAL_DEPTH - 2);
  await world.run();
}

export async function oneMore(world: World): Promise<void> {
  await world.mine();
  await world.run();
}

/** A waits: nothing was told of these. */
export function assertUndecided(world: World, ...forwards: readonly Forward[]): void {
  const told = failsTold(world);
  for (const one of forwards) {
    assert.ok(!told.includes(nameOf(one.inbound)), `${nameOf(one.inbound)} is not told`);
    assert.equal(endOf(one), "standing");
  }
}

/** Exactly these were told as failed, once each, and A has each back. */
export function assertFailedBack(world: World, ...forwards: readonly Forward[]): void {
  const expected = forwards.map(({ inbound }) => nameOf(inbound)).sort();
  assert.deepEqual([...failsTold(world)].sort(), expected);
  for (const one of forwards) assert.equal(endOf(one), "gone fail");
}

/** Everything that can be seen of a world that has come to rest. */
export const seen = ({ node, record, monitors }: World) => ({
  told: node.told.map(({ semanticKey, deliveries }) => `${semanticKey} ${deliveries}`),
  commands: node.obeyed.length,
  updates: record.updates(),
  preimages: record.preimages(),
  events: monitors.map(({ disk }) => disk.told().map(({ payload }) => toHex(payload))),
});
