/** Which preimage records a monitor that does not name them is sent again. */
import assert from "node:assert/strict";
import { Hops } from "../testing/hops.js";
import { forwardOf, IN, incoming, OUT } from "../testing/htlcs.js";
import { MONITOR_A, MONITOR_B } from "../testing/scene.js";
import { isRecordWanted } from "./record.js";

const inbound = incoming(IN, 1);
const outbound = forwardOf(inbound, OUT, 7);

describe("a preimage record that every monitor confirmed", () => {
  let hops: Hops;
  beforeEach(() => {
    hops = new Hops();
    hops.add(inbound, outbound);
  });
  const wanted = (): readonly boolean[] =>
    [...hops.tables.preimage.values()].map((row) => isRecordWanted(hops.tables, row));

  it("is wanted until the removal by claim is durable on every monitor", () => {
    hops.claims(MONITOR_A, outbound);
    hops.kept(IN);
    hops.answer("claim in/1", "sent");
    assert.deepEqual(wanted(), [true]);
    hops.remove(inbound);
    hops.receipt(MONITOR_A, IN);
    assert.deepEqual(wanted(), [true]);
    hops.receipt(MONITOR_B, IN);
    assert.deepEqual(wanted(), [false]);
  });

  it("stays wanted while another HTLC of its hash is there", () => {
    hops.add(incoming(IN, 2), forwardOf(incoming(IN, 2), OUT, 8));
    hops.claims(MONITOR_A, outbound);
    hops.kept(IN);
    hops.answer("claim in/1", "sent");
    hops.remove(inbound);
    hops.durable(IN);
    assert.deepEqual(wanted(), [true]);
  });

  it("stays wanted when a fail had taken the HTLC", () => {
    hops.fails(MONITOR_A, outbound);
    hops.answer("fail in/1", "sent");
    hops.remove(inbound);
    hops.durable(IN);
    hops.claims(MONITOR_A, outbound);
    hops.kept(IN);
    assert.deepEqual(wanted(), [true], "our own commitment may still have it");
  });

  it("stays wanted on a closed channel", () => {
    hops.claims(MONITOR_A, outbound);
    hops.closes(MONITOR_A, IN);
    hops.kept(IN);
    assert.deepEqual(wanted(), [true]);
  });
});
