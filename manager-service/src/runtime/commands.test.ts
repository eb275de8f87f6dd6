/** Commands on their way to the node: once a session, until what they ask for is durable. */
import assert from "node:assert/strict";
import { htlcId } from "@farwatch/protocol/ids";
import { createTables, type Tables } from "../manager/draft.js";
import { rowKeys, type ItemRow } from "../manager/rows.js";
import { CHANNEL, NODE, REASON, secretOf } from "../manager/testing/scene.js";
import type { NodeCommand } from "../manager/user-event.js";
import { BumpBoard } from "./bump-board.js";
import { ItemFeed } from "./item-feed.js";
import { settle, ToldItems } from "./testing/bench.js";

const fail = (id: number): NodeCommand => ({
  kind: "failInbound",
  channelId: CHANNEL,
  htlcId: htlcId(id),
  reason: REASON,
});
const claim = (id: number): NodeCommand => ({
  kind: "claimInbound",
  channelId: CHANNEL,
  htlcId: htlcId(id),
  preimage: secretOf(1),
});

class Commands {
  readonly tables: Tables = createTables();
  readonly feed = new ItemFeed(this.tables, new BumpBoard(this.tables, () => 1), 1n);

  constructor() {
    this.session("first");
  }
  session(sessionId: string): void {
    const role = "managerResolves" as const;
    this.tables.session.set(NODE, { nodeKey: NODE, role, nodeEpoch: 1n, sessionId, behind: {} });
  }
  put(itemId: number, event: NodeCommand, more: Partial<ItemRow> = {}): void {
    const id = BigInt(itemId);
    const named = { itemId: id, nodeKey: NODE, semanticKey: `${event.kind}/${itemId}`, event };
    const row = { ...named, createdAtMs: 1, handled: false, ...more };
    this.tables.item.set(rowKeys.item(id), row);
    this.feed.committed(row);
  }
  remove(itemId: number): void {
    this.tables.item.set(rowKeys.item(BigInt(itemId)), undefined);
  }
  async subscribe(): Promise<ToldItems> {
    const told = new ToldItems();
    this.feed.subscribe(NODE, told);
    await settle();
    return told;
  }
}

describe("commands on their way to the node", () => {
  it("are not sent again in the session in which they were answered", async () => {
    const commands = new Commands();
    commands.put(1, fail(1));
    commands.put(2, claim(2));
    assert.deepEqual((await commands.subscribe()).keys, ["failInbound/1", "claimInbound/2"]);
    commands.put(1, fail(1), { answeredIn: "first" });
    const again = await commands.subscribe();
    assert.deepEqual([again.keys, again.replayed], [["claimInbound/2"], 1]);
  });

  it("are sent in every later session, until the removal is durable", async () => {
    const commands = new Commands();
    commands.put(1, fail(1), { answeredIn: "first" });
    for (const session of ["second", "third"]) {
      commands.session(session);
      assert.deepEqual((await commands.subscribe()).keys, ["failInbound/1"], session);
    }
    commands.put(1, fail(1), { answeredIn: "first", handled: true });
    commands.session("fourth");
    assert.deepEqual((await commands.subscribe()).keys, []);
  });

  it("are skipped when something else took their place before it was their turn", async () => {
    const commands = new Commands();
    commands.put(1, fail(1));
    commands.put(2, claim(2));
    const told: string[] = [];
    let taken: () => void = () => undefined;
    commands.feed.subscribe(NODE, {
      item({ semanticKey }) {
        told.push(semanticKey);
        return new Promise((resolve) => (taken = resolve));
      },
      replayDone: (count) => Promise.resolve(void told.push(`replayed ${count}`)),
      end: () => undefined,
    });
    commands.put(3, fail(3));
    commands.remove(2);
    commands.put(4, claim(3));
    commands.remove(3);
    taken();
    await settle();
    assert.deepEqual(told, ["failInbound/1", "replayed 1", "claimInbound/4"]);
  });
});
