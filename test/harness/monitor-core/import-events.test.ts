/** Results that a monitor from before had told (contract 2.9): which are believed, and how they are numbered. */
import assert from "node:assert/strict";
import { must } from "@farwatch/protocol/assert";
import type { ImportedEvent } from "@farwatch/protocol/convert/imported-events";
import { updateId } from "@farwatch/protocol/ids";
import { importEvents } from "@farwatch/monitor-service/monitor/import-events";
import type { Htlc } from "../channel/ledger.js";
import { onionFailure } from "../channel/proposals.js";
import { secretNamed } from "../channel/test-channel.js";
import { protectedChannel, type ProtectedChannel } from "./protected-channel.js";
import { fulfill, pay } from "./scenario.js";

type Resolution = ImportedEvent["body"]["resolution"];

const claimedWith = (name: string): Resolution => ({
  kind: "claimed",
  preimage: secretNamed(name).preimage,
  skimmedFeeMsat: undefined,
  attributionData: undefined,
});
const FAILED: Resolution = { kind: "failed", reason: onionFailure() };

const told = ({ id, source, ...htlc }: Htlc, resolution: Resolution): ImportedEvent => ({
  body: {
    kind: "htlcEvent",
    source,
    paymentHash: htlc.paymentHash,
    htlcId: id,
    amountMsat: htlc.amountMsat,
    userChannelId: undefined,
    resolution,
  },
  origin: { kind: "update", updateId: updateId(1n) },
});

async function sent(p: ProtectedChannel, name: string): Promise<Htlc> {
  return must((await pay(p, { from: "holder", sat: 20_000, name }))[0], "an HTLC");
}

/** No commitment has it any more, and nothing of it is remembered. */
async function gone(p: ProtectedChannel, name: string): Promise<Htlc> {
  const htlc = await sent(p, name);
  await fulfill(p, htlc, name);
  await sent(p, `${name}, later`); // our previous commitment had it, too
  return htlc;
}

const imported = (p: ProtectedChannel, ...events: readonly ImportedEvent[]) => {
  const state = { ...p.state, reported: new Map(), fulfilled: new Map() };
  return importEvents(p.ctx, state, events);
};

describe("monitor core: imported events", () => {
  it("are numbered in their order, with the reason they were failed for", async () => {
    const p = await protectedChannel();
    const [one, two] = [await gone(p, "one"), await gone(p, "two")];
    const result = imported(p, told(two, FAILED), told(one, claimedWith("one")));
    assert.ok(result.ok);
    const { events, state } = result.value;
    const first = p.state.nextEventId;
    assert.deepEqual(
      events.map(({ eventId }) => eventId),
      [first, first + 1n],
    );
    assert.equal(state.nextEventId, first + 2n);
    assert.deepEqual(
      events.map(({ body }) => body.kind === "htlcEvent" && body.resolution),
      [FAILED, claimedWith("one")],
    );
    assert.equal(state.failReasons.size, p.state.failReasons.size, "a reason is not kept");
  });

  it("refuse a failure of an HTLC that a commitment has, and take a claim of it", async () => {
    const p = await protectedChannel();
    const live = await sent(p, "live");
    const failed = imported(p, told(live, FAILED));
    assert.ok(!failed.ok);
    assert.equal(failed.error.reason, "malformed");
    const claimed = imported(p, told(live, claimedWith("live")));
    assert.ok(claimed.ok);
    assert.equal(claimed.value.events.length, 1);
  });

  it("refuse a preimage of something else", async () => {
    const p = await protectedChannel();
    const result = imported(p, told(await gone(p, "one"), claimedWith("two")));
    assert.ok(!result.ok);
    assert.equal(result.error.reason, "preimageMismatch");
    assert.deepEqual(result.error.details, { field: "pending_events[0]" });
  });

  it("tell one fact once, and no failure after a claim", async () => {
    const p = await protectedChannel();
    const one = await gone(p, "one");
    const claim = told(one, claimedWith("one"));
    const result = imported(p, claim, claim, told(one, FAILED));
    assert.ok(result.ok);
    assert.equal(result.value.events.length, 1);
  });
});
