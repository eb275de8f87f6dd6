/**
 * A channel that speaks LDK's bytes (contract sections 1 and 2.12 to 2.15): who may, what is signed, what an
 * unknown claim does, and forwards whose HTLC ids no commitment has.
 */
import assert from "node:assert/strict";
import { utf8 } from "@farwatch/protocol/bytes";
import { parseUpdate } from "@farwatch/protocol/envelope/update";
import { hash32, sourceKey, updateId } from "@farwatch/protocol/ids";
import { must } from "@farwatch/protocol/assert";
import type { UpdateStep } from "@farwatch/protocol/update";
import type { ManagerInput } from "../input.js";
import type { Role } from "../rows.js";
import { forwardOf, IN, incoming, OUT, OUT2, trampolineOf } from "../testing/htlcs.js";
import { LdkHops } from "../testing/ldk-hops.js";
import {
  byte,
  CHANNEL,
  claimed,
  fromUpdate,
  initialState,
  MONITOR_A,
  MONITOR_B,
  NODE,
  ownSource,
  receive,
  Scene,
  secretOf,
  sign,
} from "../testing/scene.js";

const HASH = hash32(byte(0x1d));

/** A scene of a node in that role; what it watches and sends comes with these additions. */
function sceneAs(role: Role): Scene {
  const scene = new Scene();
  const fresh = { nodeKey: NODE, nodeEpoch: 1n, newSessionId: "s", channels: [] };
  scene.expectOk({ kind: "sessionOpened", role, ...fresh });
  return scene;
}
const watched = (ldkMonitorHash?: typeof HASH, payload = "initial"): ManagerInput => ({
  kind: "watchOffered",
  nodeKey: NODE,
  initial: initialState(),
  firstUpdateId: updateId(1),
  payload: utf8(payload),
  requiredMonitors: [MONITOR_A, MONITOR_B],
  setNo: 1,
  ldkMonitorHash,
});
const offered = (
  id: number,
  steps: readonly UpdateStep[],
  payloadType?: "ldkBytes",
): ManagerInput => ({
  kind: "updateOffered",
  nodeKey: NODE,
  channelId: CHANNEL,
  updateId: updateId(id),
  payload: utf8(`ldk ${id}`),
  payloadType,
  steps,
  stored: undefined,
});
const reasonOf = (scene: Scene, input: ManagerInput): string | undefined => {
  const decided = scene.input(input);
  return decided.ok ? decided.value.refusal?.reason : decided.error.reason;
};

describe("a channel watched with LDK's monitor", () => {
  it("is for role NODE_RESOLVES only", () => {
    for (const role of ["managerResolves", "observe"] as const) {
      const scene = sceneAs(role);
      assert.equal(reasonOf(scene, watched(HASH)), "unknownRole");
      assert.equal(reasonOf(scene, watched()), undefined);
      assert.equal(reasonOf(scene, offered(1, [receive(1)], "ldkBytes")), "unknownRole");
    }
    assert.equal(reasonOf(new Scene(), watched(HASH)), "unknownRole", "no session");
  });

  it("signs LDK's bytes as they came", () => {
    const scene = sceneAs("nodeResolves");
    assert.equal(reasonOf(scene, watched(HASH)), undefined);
    assert.equal(reasonOf(scene, offered(1, [receive(1)], "ldkBytes")), undefined);
    const [row] = [...scene.updates.values()];
    assert.deepEqual(row?.payload, utf8("ldk 1"));
    const header = parseUpdate(must(row, "row").header);
    assert.equal(header.ok && header.value.payloadType, "ldkBytes");
    assert.equal(
      reasonOf(scene, { ...offered(1, [], "ldkBytes"), stored: row } as ManagerInput),
      undefined,
    );
  });

  it("takes one language only, and keeps the preimages of what it refuses", () => {
    const preimage: UpdateStep = {
      kind: "paymentPreimage",
      preimage: secretOf(5),
      paymentInfo: undefined,
    };
    const ldk = sceneAs("nodeResolves");
    ldk.input(watched(HASH));
    assert.equal(reasonOf(ldk, offered(1, [preimage])), "malformed");
    assert.equal(ldk.tables.preimage.size, 1);
    const typed = sceneAs("nodeResolves");
    typed.input(watched());
    assert.equal(reasonOf(typed, offered(1, [preimage], "ldkBytes")), "malformed");
    assert.equal(typed.tables.preimage.size, 1);
    assert.equal(typed.channel.acceptedId, 0n);
  });

  it("answers the same monitor again whatever is made of it, and refuses another", () => {
    const scene = sceneAs("nodeResolves");
    scene.input(watched(HASH));
    assert.equal(reasonOf(scene, watched(HASH, "by a newer build")), undefined);
    assert.equal(reasonOf(scene, watched(hash32(byte(0x1e)))), "alreadyWatched");
    assert.equal(reasonOf(scene, watched()), "alreadyWatched");
  });

  it("accepts a claim of an HTLC that no commitment has: a record and an alarm", () => {
    const scene = sceneAs("nodeResolves");
    scene.input(watched(HASH));
    const entry = {
      sourceKey: sourceKey(byte(9)),
      preimage: secretOf(9),
      skimmedFeeMsat: undefined,
      attributionData: undefined,
    };
    const step = { ...receive(1), claimed: [entry] };
    assert.equal(reasonOf(scene, offered(1, [step], "ldkBytes")), undefined);
    assert.equal(scene.channel.acceptedId, 1n);
    assert.equal(scene.channel.holderNumber, 1);
    assert.equal(scene.tables.preimage.size, 1);
    assert.deepEqual(scene.open, [`alarm/claimNotFound/${byte(9)}`]);
    // The monitor makes an event of the entry alone: the node has it, and its Done acks it.
    const unknown = claimed({ part: 9 });
    if (unknown.kind !== "htlcEvent") assert.fail("an HTLC event");
    const source = {
      ...ownSource({ part: 9 }),
      origin: { kind: "trampoline", inbound: [] },
    } as const;
    scene.event(MONITOR_A, { ...unknown, source }, fromUpdate(1));
    assert.equal(scene.inbox(MONITOR_A, 1)?.state, "waiting");
    scene.handle(scene.open[1] ?? "");
    assert.deepEqual(scene.acks, ["A1"]);
  });

  it("still refuses a preimage of another hash than its HTLC has", () => {
    const scene = sceneAs("nodeResolves");
    scene.input(watched(HASH));
    assert.equal(reasonOf(scene, offered(1, [sign(1, [{ part: 1 }])], "ldkBytes")), undefined);
    const entry = {
      sourceKey: sourceKey(byte(1)),
      preimage: secretOf(2),
      skimmedFeeMsat: undefined,
      attributionData: undefined,
    };
    const step = { ...receive(1), claimed: [entry] };
    assert.equal(reasonOf(scene, offered(2, [step], "ldkBytes")), "preimageMismatch");
  });

  it("knows own payments that nobody registered", () => {
    const scene = sceneAs("nodeResolves");
    scene.input(watched(HASH));
    scene.input(offered(1, [sign(1, [{ part: 1 }])], "ldkBytes"));
    const [payment] = [...scene.tables.payment.values()];
    assert.deepEqual([payment?.state, payment?.totalMsat], ["pending", undefined]);
    scene.event(MONITOR_A, claimed({ part: 1 }), fromUpdate(1));
    assert.equal(scene.tables.payment.get(must(payment, "payment").paymentId)?.state, "sent");
    assert.equal(scene.open.length, 1, "the event, no PaymentSent, no alarm");
  });
});

describe("forwards of an LDK node", () => {
  const inbound = incoming(IN, 1);
  const outbound = forwardOf(inbound, OUT, 7);

  function forwarding(): LdkHops {
    const hops = new LdkHops();
    hops.add(inbound, outbound);
    return hops;
  }

  it("are known by their inbound edge, although commitments give it another id", () => {
    const hops = forwarding();
    assert.deepEqual(hops.open, [], "no alarm");
    assert.equal(hops.inbound(inbound).removedBy, undefined);
    const [leg] = [...hops.tables.leg.values()];
    assert.deepEqual([leg?.state, leg?.htlcId], ["alive", undefined]);
  });

  it("have their preimage relayed by the update that claims them, and by an event", () => {
    const hops = forwarding();
    const entry = {
      sourceKey: outbound.source.sourceKey,
      preimage: secretOf(outbound.secret),
      skimmedFeeMsat: undefined,
      attributionData: undefined,
    };
    assert.ok(hops.offer(OUT, { ...receive(1), claimed: [entry] }).ok);
    assert.deepEqual(hops.records(), ["in"]);
    const other = forwarding();
    other.claims(MONITOR_A, outbound);
    assert.deepEqual(other.records(), ["in"]);
  });

  it("are settled when the inbound HTLC is gone for good, and not before", () => {
    const hops = forwarding();
    hops.claims(MONITOR_A, outbound);
    hops.kept(IN);
    assert.equal(hops.inbound(inbound).settled, false);
    hops.remove(inbound);
    assert.notEqual(hops.inbound(inbound).removedBy, undefined);
    assert.equal(hops.inbound(inbound).settled, false, "its removal is not durable");
    hops.durable(IN);
    assert.equal(hops.inbound(inbound).settled, true);
    assert.deepEqual(hops.open, ["event out"]);
  });

  it("are not lost when LDK claims before the event comes", () => {
    const hops = forwarding();
    const step = { kind: "paymentPreimage", paymentInfo: undefined } as const;
    assert.ok(hops.offer(IN, { ...step, preimage: secretOf(inbound.secret) }).ok);
    hops.remove(inbound);
    hops.durable(IN);
    hops.claims(MONITOR_A, outbound);
    assert.equal(hops.inbound(inbound).lost, false);
    assert.deepEqual(hops.open, ["event out"]);
  });

  it("keep two parts of one payment apart by their ids, and wait for both to go", () => {
    const hops = new LdkHops();
    const parts = [incoming(IN, 1), incoming(IN, 2)] as const;
    const legs = [forwardOf(parts[0], OUT, 7), forwardOf(parts[1], OUT, 8)] as const;
    hops.add(...parts, ...legs);
    assert.deepEqual(hops.open, [], "no duplicate");
    for (const leg of legs) hops.claims(MONITOR_A, leg);
    hops.kept(IN);
    hops.remove(parts[0]);
    hops.durable(IN);
    assert.deepEqual(
      [hops.inbound(parts[0]).settled, hops.inbound(parts[1]).settled],
      [false, false],
    );
    hops.remove(parts[1]);
    hops.durable(IN);
    assert.deepEqual(
      [hops.inbound(parts[0]).settled, hops.inbound(parts[1]).settled],
      [true, true],
    );
  });

  it("that look like a second one are accepted, with an alarm", () => {
    const hops = forwarding();
    hops.add(forwardOf(inbound, OUT2, 8));
    assert.deepEqual(hops.open, ["alarm duplicateForward"]);
  });

  it("of a channel that is watched elsewhere raise no alarm before they are claimed", () => {
    const hops = new LdkHops([OUT]);
    hops.add(outbound);
    assert.deepEqual(hops.open, []);
    hops.claims(MONITOR_A, outbound);
    assert.deepEqual(hops.open, ["alarm inboundUnknown", "event out"]);
    assert.equal(hops.tables.preimage.size, 1, "kept for the day it is watched");
  });

  it("by trampoline relay the preimage to every inbound channel", () => {
    const hops = new LdkHops();
    const [one, two] = [incoming(IN, 1), incoming(OUT2, 2)];
    const leg = trampolineOf([one, two], OUT, 7);
    hops.add(one, two, leg);
    hops.claims(MONITOR_A, leg);
    assert.deepEqual(hops.records(), ["in", "out2"]);
  });
});
