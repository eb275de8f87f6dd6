/** The vectors: what is built, of which version of LDK, and which decoder it is for. */
import * as events from "./events.js";
import { monitor } from "./monitor.js";
import { Draw } from "./primitives.js";
import * as sources from "./sources.js";
import * as updates from "./updates.js";
import { encodeWire, type Built } from "./wire.js";

export type VectorKind = "update" | "monitor" | "event" | "htlcUpdate" | "source" | "spendable";

export interface BuiltVector {
  readonly name: string;
  readonly kind: VectorKind;
  readonly line: sources.Line;
  readonly built: Built;
}

const of =
  (kind: VectorKind) =>
  (line: sources.Line, name: string, build: (draw: Draw) => Built): BuiltVector => ({
    name,
    kind,
    line,
    built: build(new Draw(name)),
  });
const source = of("source");
const event = of("event");
const spendable = of("spendable");

const update = (
  line: sources.Line,
  name: string,
  ...steps: readonly ((draw: Draw) => Built)[]
): BuiltVector =>
  of("update")(line, name, (draw) =>
    updates.update(
      draw,
      steps.map((step) => step(draw)),
    ),
  );

const updateVectors = (): readonly BuiltVector[] => [
  update("0.2", "step 0, sources apart", (draw) => updates.holderInfo(draw, "0.2")),
  update("main", "step 1, a trampoline", (draw) => updates.counterpartyInfo(draw, "main")),
  update("0.3", "step 1, a trampoline of 0.3", (draw) => updates.counterpartyInfo(draw, "0.3")),
  update("main", "step 2, claim details", updates.preimageWithClaim),
  update("main", "steps 3, 4 and 5", updates.secret, updates.forceClosed, updates.shutdownScript),
  update("0.2", "step 6", (draw) => updates.counterpartyCommitments(draw, "0.2")),
  update("main", "step 6 of main", (draw) => updates.counterpartyCommitments(draw, "main")),
  update(
    "main",
    "step 7, all three ids",
    (draw) => updates.releaseComplete(draw, sources.sentForward(draw)),
    (draw) => updates.releaseComplete(draw, sources.sentRoute(draw)),
    (draw) => updates.releaseComplete(draw, sources.sentTrampoline(draw)),
  ),
  update("0.2", "step 8", (draw) => updates.holderCommitments(draw, "0.2")),
  update(
    "main",
    "steps 8 and 6",
    (draw) => updates.holderCommitments(draw, "main"),
    (draw) => updates.counterpartyCommitments(draw, "main"),
  ),
  update("0.2", "step 10", (draw) => updates.renegotiatedFunding(draw, "0.2")),
  update("main", "step 10 with a contribution", (draw) =>
    updates.renegotiatedFunding(draw, "main"),
  ),
  update("0.2", "step 12", updates.fundingLocked),
  update("pr4640", "step 0 with claims and failures", (draw) =>
    updates.holderInfoPersistent(draw, "filled"),
  ),
  update("pr4640", "step 0 with failures only", (draw) =>
    updates.holderInfoPersistent(draw, "empty"),
  ),
  update("pr4640", "step 8 with claims and failures", updates.holderCommitmentsPersistent),
  of("update")("0.2", "an update of 0.1.12 with its counterparty", (draw) =>
    updates.update(draw, [updates.releaseComplete(draw)], true),
  ),
];

const htlcUpdates = (): readonly BuiltVector[] => [
  of("htlcUpdate")("main", "HTLCUpdate failed", (draw) => events.htlcUpdate(draw, "main", false)),
  of("htlcUpdate")("main", "HTLCUpdate claimed", (draw) => events.htlcUpdate(draw, "main", true)),
  of("htlcUpdate")("pr4640", "HTLCUpdate persistent, claimed", (draw) =>
    events.htlcUpdatePersistent(draw, "claimed"),
  ),
  of("htlcUpdate")("pr4640", "HTLCUpdate persistent, failed", (draw) =>
    events.htlcUpdatePersistent(draw, "failed"),
  ),
  of("htlcUpdate")("pr4640", "HTLCUpdate persistent, failed by the next node", (draw) =>
    events.htlcUpdatePersistent(draw, "onion"),
  ),
  of("htlcUpdate")("pr4640", "HTLCUpdate without amount", events.htlcUpdateWithoutAmount),
];

const eventVectors = (): readonly BuiltVector[] => [
  event("main", "Completed", events.completed),
  event("main", "CommitmentTxConfirmed", events.commitmentConfirmed),
  event("main", "HTLCEvent", (draw) => events.htlcEvent(events.htlcUpdate(draw, "main", true))),
  event("pr4640", "HTLCEvent persistent", (draw) =>
    events.htlcEvent(events.htlcUpdatePersistent(draw, "claimed")),
  ),
  event("main", "HolderForceClosed", events.closed),
  event("main", "HolderForceClosedWithInfo, numbers", (draw) =>
    events.closedWithInfo(draw, sources.tooLowFeerate()),
  ),
  event("main", "HolderForceClosedWithInfo, text", (draw) =>
    events.closedWithInfo(draw, sources.holderClosed()),
  ),
];

const sourceVectors = (): readonly BuiltVector[] => [
  source("0.2", "forward of 0.2", (draw) => sources.forwardSource(draw, "0.2")),
  source("main", "forward of main", (draw) => sources.forwardSource(draw, "main")),
  source("main", "route", sources.routeSource),
  source("main", "trampoline of main", (draw) => sources.trampolineSource(draw, "main")),
  source("0.3", "trampoline of 0.3", (draw) => sources.trampolineSource(draw, "0.3")),
];

const spendableVectors = (): readonly BuiltVector[] => [
  spendable("main", "static output", events.staticOutput),
  spendable("main", "delayed output", events.delayedOutput),
  spendable("main", "static payment", events.paymentOutput),
];

const monitorVectors = (): readonly BuiltVector[] => [
  of("monitor")("0.2", "monitor of 0.2 in a splice", (draw) => monitor(draw, "0.2", true)),
  of("monitor")("0.3", "monitor of 0.3", (draw) => monitor(draw, "0.3", false)),
  of("monitor")("main", "monitor of main in a splice", (draw) => monitor(draw, "main", true)),
  of("monitor")("pr4640", "monitor of PR 4640", (draw) => monitor(draw, "pr4640", true)),
];

export const builtVectors = (): readonly BuiltVector[] => [
  ...updateVectors(),
  ...htlcUpdates(),
  ...eventVectors(),
  ...sourceVectors(),
  ...spendableVectors(),
  ...monitorVectors(),
];

export const bytesOf = ({ built }: BuiltVector): Uint8Array => encodeWire(built.wire);
