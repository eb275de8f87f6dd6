import assert from "node:assert/strict";
import { channelId } from "@farwatch/protocol/ids";
import { RemoteWatchError } from "./errors.js";
import { planRestore } from "./restore-plan.js";
import { decodeTold, encodeTold, type ToldChannel } from "./told.js";

const A = channelId("0a".repeat(32));
const B = channelId("0b".repeat(32));
const OPEN: ToldChannel = { completed: 7n, newest: 9n, state: "open" };
const has = (acceptedId: bigint) => new Map([[A, { acceptedId }]]);
const isFault = (code: string) => (error: unknown) =>
  error instanceof RemoteWatchError && error.code === code;

describe("what is saved beside a ChannelManager", () => {
  const told = new Map<typeof A, ToldChannel>([
    [A, OPEN],
    [B, { completed: undefined, newest: 0n, state: "settled" }],
  ]);

  it("comes back as it was", () => {
    assert.deepEqual(decodeTold(encodeTold(told)), told);
    assert.deepEqual(decodeTold(encodeTold(new Map())), new Map());
  });

  it("is refused when any byte of it changed", () => {
    const bytes = encodeTold(told);
    for (let at = 0; at < bytes.length; at++) {
      const damaged = Uint8Array.from(bytes);
      damaged[at] = (damaged[at] ?? 0) ^ 0x40;
      assert.throws(() => decodeTold(damaged), isFault("toldUnreadable"), `byte ${at}`);
    }
    for (const length of [0, 8, 16, bytes.length - 1]) {
      assert.throws(() => decodeTold(bytes.subarray(0, length)), isFault("toldUnreadable"));
    }
  });
});

describe("what is compared before anything is read (R6)", () => {
  const told = new Map([[A, OPEN]]);

  it("lets the ids between completed and newest pass", () => {
    for (const accepted of [7n, 8n, 9n]) {
      assert.deepEqual(planRestore(told, has(accepted), new Set()).wanted, [A]);
    }
  });

  it("refuses an older copy of the ChannelManager", () => {
    assert.throws(() => planRestore(told, has(10n), new Set()), isFault("staleSnapshot"));
    assert.throws(() => planRestore(new Map(), has(0n), new Set()), isFault("staleSnapshot"));
  });

  it("refuses a manager-service that lost what was told durable", () => {
    assert.throws(() => planRestore(told, has(6n), new Set()), isFault("managerLost"));
    assert.throws(() => planRestore(told, new Map(), new Set()), isFault("managerLost"));
  });

  it("leaves out what never arrived, and what is settled unless an event is left", () => {
    const unsent: ToldChannel = { completed: undefined, newest: 0n, state: "open" };
    assert.deepEqual(planRestore(new Map([[A, unsent]]), new Map(), new Set()), {
      wanted: [],
      unsent: [A],
    });
    const settled = new Map<typeof A, ToldChannel>([[A, { ...OPEN, state: "settled" }]]);
    assert.deepEqual(planRestore(settled, has(9n), new Set()).wanted, []);
    assert.deepEqual(planRestore(settled, has(9n), new Set([A])).wanted, [A]);
  });
});
