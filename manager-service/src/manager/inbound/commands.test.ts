/**
 * Commands follow from rows: wanted until the removal is durable, replaced by what is wanted now, answered
 * without being believed (contract section 1, "Commands", "Removed").
 */
import assert from "node:assert/strict";
import { Hops } from "../testing/hops.js";
import { forwardOf, IN, incoming, OUT } from "../testing/htlcs.js";
import { confirmed, MONITOR_A, MONITOR_B } from "../testing/scene.js";

const inbound = incoming(IN, 1);
const outbound = forwardOf(inbound, OUT, 7);

function failing(): Hops {
  const hops = new Hops();
  hops.add(inbound, outbound);
  hops.fails(MONITOR_A, outbound);
  hops.handle("handling failed");
  return hops;
}
function claiming(): Hops {
  const hops = new Hops();
  hops.add(inbound, outbound);
  hops.claims(MONITOR_A, outbound);
  hops.kept(IN);
  hops.handle("forwarded");
  return hops;
}
const command = (hops: Hops, key: string) => {
  const [item] = hops.tables.item.select("semantic", key);
  return item;
};
const failKey = `fail-inbound/${IN}/${"1".padStart(20, "0")}`;

describe("a command", () => {
  it("stays wanted whatever the node answers, and is marked answered in this session only", () => {
    for (const result of ["sent", "queued", "alreadyRemoving", "channelClosed"] as const) {
      const hops = failing();
      hops.answer("fail in/1", result);
      assert.deepEqual(hops.open, ["fail in/1"]);
      assert.equal(command(hops, failKey)?.answeredIn, "session 1");
      hops.session(2n);
      assert.deepEqual(hops.open, ["fail in/1"]);
      assert.notEqual(command(hops, failKey)?.answeredIn, hops.sessionId);
    }
  });

  it("keeps its id over sessions, and is told once", () => {
    const hops = failing();
    const before = command(hops, failKey)?.itemId;
    hops.session(2n);
    hops.fails(MONITOR_B, outbound);
    hops.receipt(MONITOR_A, IN);
    assert.equal(command(hops, failKey)?.itemId, before);
    assert.equal(hops.told("fail in/1"), 1);
  });

  it("is withdrawn, not handled, when the removal is durable; a late answer changes nothing", () => {
    const hops = failing();
    const item = command(hops, failKey);
    hops.remove(inbound);
    assert.deepEqual(hops.open, ["fail in/1"]);
    hops.durable(IN);
    assert.equal(command(hops, failKey), undefined);
    const answer = { kind: "command", result: "sent" } as const;
    const late = hops.done([{ itemId: item?.itemId ?? 0n, answer }]);
    assert.deepEqual(late.ok && late.value.changes, []);
  });

  it("takes a result and nothing else, and a result answers nothing else", () => {
    const hops = failing();
    hops.closes(MONITOR_A, OUT);
    for (const item of hops.tables.item.values()) {
      const isFail = item.event.kind === "failInbound";
      const wrong = isFail
        ? ({ kind: "handled" } as const)
        : ({ kind: "command", result: "sent" } as const);
      if (item.handled || (!isFail && item.event.kind !== "channelClosed")) continue;
      const decided = hops.done([{ itemId: item.itemId, answer: wrong }]);
      assert.equal(!decided.ok && decided.error.reason, "malformed");
    }
  });

  it("is not answered by another node", () => {
    const hops = failing();
    const itemId = command(hops, failKey)?.itemId ?? 0n;
    const answer = { kind: "command", result: "sent" } as const;
    const decided = hops.done([{ itemId, answer }], "03".repeat(33));
    assert.deepEqual(decided.ok && decided.value.changes, []);
  });
});

describe("NOT_FOUND", () => {
  it("is no removal while accepted updates have the HTLC", () => {
    const hops = failing();
    hops.answer("fail in/1", "notFound");
    hops.durable(IN);
    assert.equal(hops.inbound(inbound).removedBy, undefined);
    assert.deepEqual(hops.open, ["fail in/1"]);
    assert.deepEqual(hops.acks, []);
  });

  it("agrees with them once they have not", () => {
    const hops = claiming();
    hops.remove(inbound);
    hops.answer("claim in/1", "notFound");
    assert.deepEqual(hops.acks, []);
    hops.durable(IN);
    assert.deepEqual(hops.acks, ["A1 out"]);
    assert.deepEqual(hops.open, []);
  });
});

describe("the command to close a channel", () => {
  it("comes with the close, in the same commit, and ends with the node's own step", () => {
    const hops = new Hops();
    hops.closes(MONITOR_A, IN);
    assert.deepEqual(hops.closing, ["close in"]);
    assert.deepEqual(hops.acks, ["A1 in"], "which waits for neither (2.18)");
    hops.closes(MONITOR_B, IN);
    assert.equal(hops.told("close in"), 1);
    hops.answer("close in", "sent");
    assert.deepEqual(hops.closing, ["close in"]);
    hops.lockDown(IN);
    assert.deepEqual(hops.closing, []);
  });

  it("is not told of a channel that the node gave up before", () => {
    const hops = new Hops();
    hops.lockDown(IN);
    hops.closes(MONITOR_A, IN);
    assert.deepEqual(hops.closing, []);
  });

  it("is wanted again by every session that names the channel", () => {
    const hops = new Hops();
    hops.event(MONITOR_A, IN, confirmed(true));
    hops.session(2n);
    assert.deepEqual(hops.closing, ["close in"]);
    hops.session(3n, { channels: hops.nodeChannels.filter(({ channelId }) => channelId !== IN) });
    assert.deepEqual(hops.closing, []);
    hops.session(4n);
    assert.deepEqual(hops.closing, ["close in"]);
  });
});
