/** Monitor events and spendable outputs, as multisets per block. */
import type { ExpectationShape, ExpectedEventShape, NodeShape } from "./recording-shape.js";
import type { ReplayedNode } from "./replay-node.js";
import { monitorEventsOf, spendableOutputsOf } from "./told-events.js";
import { multisetDiff, type Deliberate, type Verdict } from "./verdict.js";

export function compareEvents(
  expected: ExpectationShape,
  timeline: NodeShape["timeline"],
  { journal }: ReplayedNode,
): Verdict {
  const { once, repeats } = withoutRepeats(expected.monitor_events, timeline);
  const actual = monitorEventsOf(journal.events);
  return {
    problems: [
      ...multisetDiff("monitor event", once.map(eventLine), actual.map(eventLine)),
      ...multisetDiff(
        "spendable output",
        expected.spendable_outputs.map(outputLine),
        spendableOutputsOf(journal.events).map(outputLine),
      ),
    ],
    deliberate: repeats.map((event): Deliberate => ({
      name: "preimage_told_once",
      detail: `recorded again: ${eventLine(event)}`,
    })),
  };
}

/**
 * A preimage is told again only because its spend was reorganised away and confirmed anew: there is a
 * disconnection of the block that told it first.
 */
function withoutRepeats(
  events: readonly ExpectedEventShape[],
  timeline: NodeShape["timeline"],
): {
  readonly once: readonly ExpectedEventShape[];
  readonly repeats: readonly ExpectedEventShape[];
} {
  const disconnected = new Set(
    timeline.flatMap((entry) => (entry.type === "block_disconnected" ? [entry.height] : [])),
  );
  const isRepeat = (event: ExpectedEventShape, index: number): boolean =>
    typeof event.payment_preimage === "string" &&
    events
      .slice(0, index)
      .some((earlier) => factLine(earlier) === factLine(event) && disconnected.has(earlier.height));
  return {
    once: events.filter((event, index) => !isRepeat(event, index)),
    repeats: events.filter(isRepeat),
  };
}

const factLine = (event: ExpectedEventShape): string =>
  [
    event.channel,
    event.type,
    event.reason,
    event.payment_hash,
    event.payment_preimage === null ? "failed" : event.payment_preimage,
    event.htlc_value_satoshis,
  ]
    .filter((part) => part !== undefined && part !== null)
    .join(" ");

const eventLine = (event: ExpectedEventShape): string => `at ${event.height}: ${factLine(event)}`;

const outputLine = ({
  height,
  type,
  outpoint,
  value,
}: ExpectationShape["spendable_outputs"][number]) =>
  `at ${height}: ${type} ${outpoint} ${value} sat`;
