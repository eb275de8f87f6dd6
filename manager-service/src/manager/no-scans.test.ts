/**
 * What an input costs does not grow with what else there is (persistent-events G23, G32): events that
 * nobody acked, items that nobody handled and forwards that are over are found by indexes or not at all.
 */
import assert from "node:assert/strict";
import { must } from "@farwatch/protocol/assert";
import { rowKeys } from "./rows.js";
import { Hops } from "./testing/hops.js";
import { forwardKey, forwardOf, IN, incoming, OUT, type Incoming } from "./testing/htlcs.js";
import { MONITOR_A } from "./testing/scene.js";
import { semanticKeys } from "./user-event.js";

/** Forwards that are told and removed, of which the node has handled nothing. */
function withUnhandled(forwards: number): Hops {
  const hops = new Hops();
  for (let index = 0; index < forwards; index += 1) {
    const secret = 100 + index;
    const inbound = incoming(IN, secret, secret);
    const outbound = forwardOf(inbound, OUT, secret);
    hops.add(inbound, outbound);
    hops.claims(MONITOR_A, outbound);
    hops.kept(IN, secret);
    for (const htlc of [outbound, inbound]) hops.remove(htlc);
    for (const on of [IN, OUT]) hops.durable(on);
  }
  assert.equal(hops.tables.inbox.size, forwards, "un-acked events");
  return hops;
}

/** Forwards under way, of which nothing is known yet: a busy channel has hundreds. */
function withPending(forwards: number): Hops {
  const hops = new Hops();
  for (let index = 0; index < forwards; index += 1) {
    const secret = 100 + index;
    const inbound = incoming(IN, secret, secret);
    hops.add(inbound, forwardOf(inbound, OUT, secret));
  }
  return hops;
}

/** Counts rows that indexes find; a walk over a table is an error. */
function countRows(hops: Hops): { rows: number } {
  const count = { rows: 0 };
  for (const table of Object.values(hops.tables)) {
    const found = table.keys.bind(table);
    table.keys = (index, value) => {
      const keys = found(index, value);
      count.rows += keys.size;
      return keys;
    };
    table.values = () => assert.fail(`a walk over ${table.name}`);
  }
  return count;
}

const itemOf = (hops: Hops, inbound: Incoming): bigint => {
  const key = semanticKeys.forwarded(forwardKey(inbound));
  return must(hops.tables.item.select("semantic", key)[0], "PaymentForwarded").itemId;
};

/** Rows found by each input of one more forward, from its first commitment to its confirmed ack. */
function costs(hops: Hops): readonly number[] {
  const inbound = incoming(IN, 1);
  const outbound = forwardOf(inbound, OUT, 7);
  const id = hops.tables.inbox.size + 1;
  const count = countRows(hops);
  const acts: readonly (() => unknown)[] = [
    () => hops.add(inbound),
    () => hops.add(outbound),
    () => hops.claims(MONITOR_A, outbound),
    () => hops.kept(IN),
    () => hops.done([{ itemId: itemOf(hops, inbound), answer: { kind: "handled" } }]),
    () => hops.remove(outbound),
    () => hops.durable(OUT),
    () => hops.remove(inbound),
    () => hops.durable(IN),
    () => {
      const acked = must(hops.inbox(MONITOR_A, OUT, id), "the event");
      assert.equal(acked.state, "ackable");
      hops.expectOk({ kind: "acksConfirmed", inboxKeys: [rowKeys.inbox(acked)] });
    },
  ];
  return acts.map((act) => {
    count.rows = 0;
    act();
    return count.rows;
  });
}

describe("the cost of an input", () => {
  it("does not grow with un-acked events, un-handled items and what is over (G23)", () => {
    assert.deepEqual(costs(withUnhandled(40)), costs(withUnhandled(0)));
  });

  it("does not grow with forwards that are under way on the same channels", () => {
    assert.deepEqual(costs(withPending(40)), costs(withPending(0)));
  });
});
