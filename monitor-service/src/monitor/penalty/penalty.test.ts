/** Penalty-only channels (ADR M-18): what is held, when it is sent, what is told, over reorganisations. */
import { strict as assert } from "node:assert";
import fc from "fast-check";
import { txid, updateId } from "@farwatch/protocol/ids";
import { parseTx } from "../../tx/parsed-tx.js";
import { spend } from "../../tx/testing/spend.js";
import { ARCHIVAL_DELAY_BLOCKS, ANTI_REORG_DELAY } from "../constants.js";
import { encodeState } from "../codec.js";
import { penaltyArchivalOf } from "./archival.js";
import {
  MAX_PENALTIES_PER_CHANNEL,
  MAX_PENALTIES_PER_COMMITMENT,
  readPenaltyTx,
} from "./check-penalty.js";
import { decodePenaltyState, encodePenaltyState } from "./codec.js";
import { outstandingPenalties, watchedPenaltyOutputs } from "./outstanding.js";
import { byteHex, COMMITMENT, penalty, PenaltyScene, toLocal } from "./testing/scene.js";

const OURS = spend([toLocal()]);
const OURS_TXID = parseTx(OURS).txid;
const OTHER_TXID = txid(byteHex(0xbb));
const published = (scene: PenaltyScene): readonly string[] =>
  outstandingPenalties(scene.state).map(({ txid: of }) => of);

/** Holds a penalty, and its commitment is in block 101. */
function cheated(): PenaltyScene {
  const scene = new PenaltyScene();
  assert.ok(scene.offer(penalty(OURS)).ok);
  scene.mine([penalty(OURS)]);
  return scene;
}

describe("a penalty-only channel holds", () => {
  it("any number of penalties without keeping one in memory", () => {
    const scene = new PenaltyScene();
    const before = encodePenaltyState(scene.state).length;
    for (let i = 0; i < 50; i++) assert.ok(scene.offer(penalty(OURS)).ok);
    assert.equal(scene.state.penaltyCount, 50);
    assert.ok(encodePenaltyState(scene.state).length < before + 10);
    assert.deepEqual(published(scene), []);
  });

  it("all steps of an update or none", () => {
    const scene = new PenaltyScene();
    const bad = scene.offer(penalty(OURS), penalty(spend([toLocal(OTHER_TXID)])));
    assert.equal(!bad.ok && bad.error.details["field"], "steps[1]");
    assert.equal(scene.state.penaltyCount, 0);
    assert.ok(scene.offer(penalty(OURS), penalty(spend([toLocal(OTHER_TXID)]), OTHER_TXID)).ok);
    assert.equal(scene.state.penaltyCount, 2);
  });

  it("only transactions that depend on the commitment and are signed", () => {
    const refused: readonly (readonly [string, Uint8Array])[] = [
      ["another txid", spend([toLocal(OTHER_TXID)])],
      ["one more input", spend([toLocal(), toLocal(OTHER_TXID)])],
      ["the same output twice", spend([toLocal(), toLocal()])],
      ["no witness", spend([toLocal()], { sign: false })],
      ["rubbish", Uint8Array.from([1, 2, 3])],
      ["bytes after it", Uint8Array.from([...OURS, 0])],
    ];
    for (const [what, transaction] of refused) {
      const result = new PenaltyScene().offer(penalty(transaction));
      assert.equal(!result.ok && result.error.reason, "malformed", what);
    }
    assert.ok(new PenaltyScene().offer(penalty(spend([toLocal(), toLocal(COMMITMENT, 1)]))).ok);
  });

  it("no bytes that it could not read again, whatever they are", () => {
    const valid = spend([toLocal(), toLocal(COMMITMENT, 1)]);
    const mutated = fc
      .array(fc.tuple(fc.nat(valid.length - 1), fc.nat(255)), { maxLength: 3 })
      .chain((changes) =>
        fc.nat(valid.length).map((cut) => {
          const bytes = Uint8Array.from(valid);
          for (const [at, byte] of changes) bytes[at] = byte;
          return cut % 5 === 0 ? bytes.slice(0, cut) : bytes;
        }),
      );
    let taken = 0;
    const holds = (bytes: Uint8Array): void => {
      const result = readPenaltyTx(penalty(bytes));
      if (result.ok) taken += 1;
    };
    fc.assert(fc.property(mutated, holds), { numRuns: 2000 });
    fc.assert(fc.property(fc.uint8Array({ maxLength: 80 }), holds), { numRuns: 500 });
    assert.ok(taken > 100, "many are still transactions");
  });

  it("no more than its limit", () => {
    const scene = new PenaltyScene();
    scene.state = { ...scene.state, penaltyCount: MAX_PENALTIES_PER_CHANNEL - 1 };
    assert.ok(scene.offer(penalty(OURS)).ok);
    const result = scene.offer(penalty(OURS));
    assert.equal(!result.ok && result.error.reason, "tooLarge");
  });

  it("no step of a channel with keys, and broadcasts nothing", () => {
    const close = { kind: "channelForceClosed", shouldBroadcast: true, reason: "" } as const;
    const script = { kind: "shutdownScript", scriptPubkey: new Uint8Array(22) } as const;
    for (const step of [close, script]) {
      const result = new PenaltyScene().offer(step);
      assert.equal(!result.ok && result.error.reason, "wrongChannelKind");
    }
  });
});

describe("a revoked commitment in a block", () => {
  it("is told at once, and its penalty sent until it is confirmed", () => {
    const scene = cheated();
    assert.deepEqual(scene.told, ["commitmentTxConfirmed"]);
    assert.deepEqual(published(scene), [OURS_TXID]);
    assert.deepEqual(watchedPenaltyOutputs(scene.state), [toLocal()]);
    scene.mineEmpty(20);
    assert.deepEqual(published(scene), [OURS_TXID]);
    scene.mine([], [OURS]);
    assert.deepEqual(published(scene), []);
    scene.mineEmpty(ANTI_REORG_DELAY - 2);
    assert.deepEqual(scene.told, ["commitmentTxConfirmed"]);
    scene.mine();
    assert.deepEqual(scene.told, ["commitmentTxConfirmed", "spendableOutputs"]);
  });

  it("is punished in its own block", () => {
    const scene = new PenaltyScene();
    scene.offer(penalty(OURS));
    scene.mine([penalty(OURS)], [OURS]);
    assert.deepEqual(published(scene), []);
    scene.mineEmpty(ANTI_REORG_DELAY - 1);
    assert.deepEqual(scene.told, ["commitmentTxConfirmed", "spendableOutputs"]);
  });

  it("has all its penalties sent, whenever they came, and the one that confirms counts", () => {
    const cheap = spend([toLocal()], { value: 9_000n });
    const scene = cheated();
    assert.ok(scene.offer(penalty(cheap)).ok);
    assert.ok(scene.offer(penalty(cheap)).ok);
    assert.deepEqual(published(scene), [parseTx(cheap).txid, OURS_TXID]);
    scene.mine([], [OURS]);
    assert.deepEqual(published(scene), []);
    scene.mineEmpty(ANTI_REORG_DELAY - 1);
    assert.deepEqual(scene.told, ["commitmentTxConfirmed", "spendableOutputs"]);
  });

  it("has no more than the newest 16 of them sent", () => {
    const priced = (value: number): Uint8Array => spend([toLocal()], { value: BigInt(value) });
    const txidOf = (value: number): string => parseTx(priced(value)).txid;
    const before = new PenaltyScene();
    const all = Array.from({ length: MAX_PENALTIES_PER_COMMITMENT + 1 }, (_, i) => 1_000 + i);
    for (const value of all) before.offer(penalty(priced(value)));
    before.mine([...all].reverse().map((value) => penalty(priced(value))));
    const newest = [...all].reverse().slice(0, MAX_PENALTIES_PER_COMMITMENT).map(txidOf);
    assert.deepEqual(published(before), newest);
    const late = new PenaltyScene();
    late.mine([penalty(priced(1_000))]);
    for (const value of all) late.offer(penalty(priced(value)));
    assert.deepEqual(published(late), newest, "whenever they came");
  });

  it("says of updates after it that they came after the close", () => {
    const scene = new PenaltyScene();
    const first = scene.offer(penalty(OURS));
    assert.equal(first.ok && first.value.afterClose, false);
    scene.mine([penalty(OURS)]);
    const later = scene.offer(penalty(spend([toLocal(OTHER_TXID)]), OTHER_TXID));
    assert.equal(later.ok && later.value.afterClose, true);
  });

  it("is not worth a write when a look-up finds none", () => {
    const scene = new PenaltyScene();
    scene.offer(penalty(OURS));
    const { persist } = scene.input({ kind: "lookedUp", upTo: updateId(1), found: [] });
    assert.equal(persist, false);
    assert.equal(scene.state.lookedUpTo, 1n);
  });

  it("may be older than its penalty: a look-up finds it", () => {
    const scene = new PenaltyScene();
    scene.offer(penalty(OURS));
    const id = updateId(1);
    scene.input({ kind: "lookedUp", upTo: id, found: [{ updateId: id, penalty: penalty(OURS) }] });
    assert.deepEqual(scene.told, ["commitmentTxConfirmed"]);
    assert.deepEqual(published(scene), [OURS_TXID]);
    assert.equal(scene.state.lookedUpTo, id);
    scene.input({ kind: "lookedUp", upTo: id, found: [{ updateId: id, penalty: penalty(OURS) }] });
    assert.deepEqual(scene.told, ["commitmentTxConfirmed"], "told once");
  });
});

describe("an output that another transaction takes first", () => {
  for (const [path, byRevocationKey] of [
    ["delayed", false],
    ["revocation", true],
  ] as const) {
    it(`by the ${path} path is told 6 deep, once`, () => {
      const scene = cheated();
      const theirs = spend([toLocal()], { path, value: 9_999n });
      scene.mine([], [theirs]);
      assert.deepEqual(published(scene), [], "nothing is left to take");
      scene.mineEmpty(ANTI_REORG_DELAY - 2);
      const { events } = scene.mine();
      const [event] = events;
      assert.ok(event?.body.kind === "penaltyOvertaken");
      assert.equal(event.body.byRevocationKey, byRevocationKey);
      assert.equal(event.body.spentBy, parseTx(theirs).txid);
      scene.mineEmpty(ANTI_REORG_DELAY);
      assert.equal(scene.told.length, 2);
    });
  }

  it("leaves a penalty that takes other outputs", () => {
    const scene = new PenaltyScene();
    const second = spend([toLocal(COMMITMENT, 1)]);
    scene.offer(penalty(OURS), penalty(second));
    scene.mine([penalty(OURS), penalty(second)]);
    scene.mine([], [spend([toLocal()], { path: "delayed" })]);
    assert.deepEqual(published(scene), [parseTx(second).txid]);
  });
});

describe("a reorganisation", () => {
  it("takes a commitment away, and the penalty is sent for when it comes again", () => {
    const scene = cheated();
    scene.reorgTo(100);
    assert.equal(scene.state.seen[0]?.seenAt, undefined);
    assert.deepEqual(published(scene), [OURS_TXID]);
    scene.mine([], [], 1);
    scene.mine([penalty(OURS)], [OURS], 1);
    assert.deepEqual(scene.told, ["commitmentTxConfirmed"], "told once");
    scene.mineEmpty(ANTI_REORG_DELAY - 1);
    assert.deepEqual(scene.told, ["commitmentTxConfirmed", "spendableOutputs"]);
  });

  it("takes a confirmed penalty away: it is sent again, and counts from its new block", () => {
    const scene = cheated();
    scene.mine([], [OURS]);
    scene.mineEmpty(3);
    scene.reorgTo(101);
    assert.deepEqual(published(scene), [OURS_TXID]);
    scene.mine([], [], 1);
    scene.mine([], [OURS], 1);
    scene.mineEmpty(ANTI_REORG_DELAY - 2);
    assert.deepEqual(scene.told, ["commitmentTxConfirmed"]);
    scene.mine();
    assert.deepEqual(scene.told, ["commitmentTxConfirmed", "spendableOutputs"]);
  });

  it("deeper than what was told tells nothing twice", () => {
    const scene = cheated();
    scene.mine([], [OURS]);
    scene.mineEmpty(ANTI_REORG_DELAY);
    scene.reorgTo(100);
    assert.deepEqual(published(scene), [OURS_TXID]);
    scene.mine([penalty(OURS)], [OURS], 1);
    scene.mineEmpty(ANTI_REORG_DELAY);
    assert.deepEqual(scene.told, ["commitmentTxConfirmed", "spendableOutputs"]);
  });

  it("changes nothing but the tip of a channel it does not touch", () => {
    const scene = new PenaltyScene();
    scene.offer(penalty(OURS));
    scene.mineEmpty(2);
    const { persist } = scene.input({
      kind: "blocksDisconnected",
      forkPoint: { ...scene.state.best },
    });
    assert.equal(persist, false);
    assert.equal(scene.mine().persist, false);
  });
});

describe("a penalty-only channel is archived", () => {
  const check = (scene: PenaltyScene, unackedEvents = false): string => {
    scene.input({ kind: "resolutionChecked", unackedEvents });
    return penaltyArchivalOf(scene.state, unackedEvents).kind;
  };

  it("when the node is done with it, four weeks later, and takes penalties until then", () => {
    const scene = new PenaltyScene();
    assert.equal(check(scene), "notClosed");
    scene.offer({ kind: "channelForceClosed", shouldBroadcast: false, reason: "closed" });
    assert.equal(check(scene), "delay");
    assert.ok(scene.offer(penalty(OURS)).ok);
    scene.mineEmpty(ARCHIVAL_DELAY_BLOCKS - 1);
    assert.equal(check(scene), "delay");
    scene.mine();
    assert.equal(check(scene), "due");
  });

  it("when a commitment is punished and every event acked", () => {
    const scene = cheated();
    assert.equal(check(scene), "openBalances");
    scene.mine([], [OURS]);
    scene.mineEmpty(ANTI_REORG_DELAY - 1);
    assert.equal(check(scene, true), "unackedEvents");
    assert.equal(check(scene), "delay");
    scene.mineEmpty(ARCHIVAL_DELAY_BLOCKS);
    assert.equal(check(scene), "due");
  });
});

describe("the stored state of a penalty-only channel", () => {
  it("comes back as it was, and is not taken for another kind", () => {
    const scene = cheated();
    scene.mine([], [OURS]);
    const bytes = encodePenaltyState(scene.state);
    assert.deepEqual(decodePenaltyState(bytes), scene.state);
    const other = encodeState(scene.state as never);
    assert.throws(() => decodePenaltyState(other), /unknown version/);
  });
});
