/**
 * `Completed.item_watermark`: a node that reads Subscribe and UpdateChannel side by side handles a Completed after
 * every event that came before its update was durable, whichever of two monitors told and whichever was last.
 */
import assert from "node:assert/strict";
import fc from "fast-check";
import { must } from "@farwatch/protocol/assert";
import type { Completion } from "../rows.js";
import {
  claimed,
  confirmed,
  fromUpdate,
  MONITOR_A,
  MONITOR_B,
  NODE,
  receive,
  Scene,
  sign,
} from "../testing/scene.js";

const RUNS = 200;
const UPDATES = 4;

function opened(role: "nodeResolves" | "observe" | "managerResolves" = "nodeResolves"): Scene {
  const scene = new Scene();
  const fresh = { nodeKey: NODE, nodeEpoch: 1n, newSessionId: "s", channels: [] };
  scene.expectOk({ kind: "sessionOpened", role, ...fresh });
  assert.ok(scene.watch().ok);
  return scene;
}
const completionsOf = (scene: Scene): readonly Completion[] =>
  scene.effects.flatMap((effect) => (effect.kind === "completed" ? [effect.completion] : []));
const itemOf = (scene: Scene): bigint | undefined =>
  [...scene.tables.item.values()].find(({ event }) => event.kind === "monitorEvent")?.itemId;

describe("the item watermark of a completion", () => {
  it("is the item of an event that one monitor told before the other completed the update", () => {
    const scene = opened();
    scene.offer(1, [sign(1, [{ part: 1 }])]);
    scene.receipt(MONITOR_B, 1);
    scene.event(MONITOR_A, claimed({ part: 1 }), fromUpdate(1));
    scene.receipt(MONITOR_A, 1, { watermark: 1 });
    const [completion] = completionsOf(scene);
    assert.deepEqual([completion?.updateId, completion?.itemWatermark], [1n, itemOf(scene)]);
    // The other monitor tells the same fact later: it has its item.
    scene.event(MONITOR_B, claimed({ part: 1 }), fromUpdate(1));
    scene.offer(2, [receive(1)]);
    scene.receipt(MONITOR_A, 2, { watermark: 1 });
    scene.receipt(MONITOR_B, 2, { watermark: 1 });
    assert.equal(completionsOf(scene)[0]?.itemWatermark, itemOf(scene));
  });

  it("stays when the node has handled the item, and counts no other channel's or kind's", () => {
    const scene = opened();
    scene.receipt(MONITOR_A, 0);
    scene.receipt(MONITOR_B, 0);
    assert.equal(completionsOf(scene)[0]?.itemWatermark, undefined);
    scene.event(MONITOR_A, claimed({ part: 1 }));
    const item = must(itemOf(scene), "an item");
    scene.handle(scene.open[0] ?? "");
    const about = { code: "c", about: "a", text: "t", channelId: undefined };
    scene.expectOk({ kind: "alarmRaised", ...about });
    scene.offer(1, [receive(1)]);
    for (const monitor of [MONITOR_A, MONITOR_B]) scene.receipt(monitor, 1, { watermark: 0 });
    assert.equal(completionsOf(scene)[0]?.itemWatermark, item);
  });

  it("is told in role OBSERVE too; a node we resolve for has no such items", () => {
    const last = (role: "observe" | "managerResolves"): bigint | undefined => {
      const scene = opened(role);
      scene.event(MONITOR_A, confirmed(false));
      for (const monitor of [MONITOR_A, MONITOR_B]) scene.receipt(monitor, 0);
      return completionsOf(scene)[0]?.itemWatermark;
    };
    assert.equal(last("observe"), 1n);
    assert.equal(last("managerResolves"), undefined);
  });
});

const monitor = fc.constantFrom(MONITOR_A, MONITOR_B);
/** Event n comes from update n; a receipt says that all events up to its update were told before. */
const action = fc.oneof(
  fc.record({ kind: fc.constant("tell" as const), monitor }),
  fc.record({ kind: fc.constant("store" as const), monitor }),
  fc.record({ kind: fc.constant("readItem" as const), monitor }),
  fc.record({ kind: fc.constant("readCompleted" as const), monitor }),
);

/** A node with two streams that no order binds: what it has not read of each waits there. */
class TwoStreams {
  readonly #items: { readonly id: bigint; readonly part: string }[] = [];
  readonly #completed: Completion[] = [];
  #reached = 0n;
  readonly handled: string[] = [];
  readonly #waiting: Completion[] = [];

  receive(scene: Scene): void {
    for (const effect of scene.effects) {
      if (effect.kind === "completed") this.#completed.push(effect.completion);
      if (effect.kind !== "deliver" || effect.item.event.kind !== "monitorEvent") continue;
      const { body } = effect.item.event;
      const part = body.kind === "htlcEvent" ? body.source.sourceKey.slice(0, 2) : "";
      this.#items.push({ id: effect.item.itemId, part });
    }
  }
  readItem(): void {
    const item = this.#items.shift();
    if (item === undefined) return;
    this.#reached = item.id;
    this.handled.push(`event ${Number.parseInt(item.part, 16)}`);
    this.#release();
  }
  readCompleted(): void {
    this.#waiting.push(...this.#completed.splice(0, 1));
    this.#release();
  }
  #release(): void {
    while ((this.#waiting[0]?.itemWatermark ?? 0n) <= this.#reached) {
      const next = this.#waiting.shift();
      if (next === undefined) return;
      this.handled.push(`completed ${next.updateId}`);
    }
  }
  get isEmpty(): boolean {
    return this.#items.length + this.#completed.length + this.#waiting.length === 0;
  }
}

describe("a node that reads items and completions side by side", () => {
  it("handles each completion after the events of its updates, in whatever order things happen", () => {
    fc.assert(
      fc.property(fc.array(action, { maxLength: 60 }), (actions) => {
        const scene = opened();
        const node = new TwoStreams();
        for (let id = 1; id <= UPDATES; id += 1) scene.offer(id, [receive(id)]);
        const told = new Map([MONITOR_A, MONITOR_B].map((key) => [key, 0]));
        const toldBy = (key: typeof MONITOR_A): number => told.get(key) ?? 0;
        const act = ({ kind, monitor: by }: (typeof actions)[number]): void => {
          if (kind === "readItem") return node.readItem();
          if (kind === "readCompleted") return node.readCompleted();
          const at = toldBy(by);
          if (kind === "store") scene.receipt(by, at, { watermark: at });
          else if (at < UPDATES) {
            told.set(by, at + 1);
            scene.event(by, claimed({ part: at + 1 }), fromUpdate(at + 1));
          } else return;
          node.receive(scene);
        };
        actions.forEach(act);
        const finish = [MONITOR_A, MONITOR_B].flatMap((by) => [
          ...Array.from({ length: UPDATES }, () => ({ kind: "tell" as const, monitor: by })),
          { kind: "store" as const, monitor: by },
        ]);
        finish.forEach(act);
        for (let step = 0; step < 4 * UPDATES && !node.isEmpty; step += 1) {
          node.readCompleted();
          node.readItem();
        }
        assert.ok(node.isEmpty, "nothing waits for ever");
        assert.equal(node.handled.at(-1), `completed ${UPDATES}`);
        for (const [index, word] of node.handled.entries()) {
          const [kind, id] = word.split(" ");
          if (kind !== "completed") continue;
          for (let event = 1; event <= Number(id); event += 1) {
            const before = node.handled.slice(0, index);
            assert.ok(before.includes(`event ${event}`), `${word} before event ${event}`);
          }
        }
        assert.equal(new Set(node.handled).size, node.handled.length, "each once");
      }),
      { numRuns: RUNS },
    );
  });
});
