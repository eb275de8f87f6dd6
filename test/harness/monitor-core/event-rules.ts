/**
 * What holds for every sequence of events of one channel (contract 2.5, 2.9, 2.10): ids gapless from 1,
 * each outcome of an HTLC told once per origin class, never a failure after a claim, the spend told once.
 */
import assert from "node:assert/strict";
import type { MonitorEventBody, NewMonitorEvent } from "@farwatch/protocol/event";
import type { SourceKey } from "@farwatch/protocol/ids";
import { knownScopes } from "@farwatch/monitor-service/monitor/scopes";
import type { MonitorState } from "@farwatch/monitor-service/monitor/state";

export type HtlcEvent = Extract<MonitorEventBody, { kind: "htlcEvent" }>;

export const bodiesOf = <K extends MonitorEventBody["kind"]>(
  events: readonly NewMonitorEvent[],
  kind: K,
): readonly Extract<MonitorEventBody, { kind: K }>[] =>
  events.flatMap(({ body }) => (isKind(body, kind) ? [body] : []));

const isKind = <K extends MonitorEventBody["kind"]>(
  body: MonitorEventBody,
  kind: K,
): body is Extract<MonitorEventBody, { kind: K }> => body.kind === kind;

/** Outcomes told for one source, in order: "claimed" or "failed", with the kind of origin. */
export const outcomesOf = (events: readonly NewMonitorEvent[], key: SourceKey): readonly string[] =>
  events.flatMap(({ body, origin }) =>
    body.kind === "htlcEvent" && body.source.sourceKey === key
      ? [`${body.resolution.kind}:${origin.kind}`]
      : [],
  );

export function assertEventsSound(events: readonly NewMonitorEvent[], state: MonitorState): void {
  for (const [index, { eventId }] of events.entries()) assert.equal(eventId, BigInt(index + 1));
  assert.equal(state.nextEventId, BigInt(events.length + 1));
  const fundings = new Set(knownScopes(state).map(({ parameters }) => parameters.funding.txid));
  const spends = bodiesOf(events, "commitmentTxConfirmed");
  // A splice we had not been told of is told as a mutual close, before the true one.
  const closes = spends.filter(({ txid }) => !fundings.has(txid));
  assert.ok(closes.length <= 1, "the spend is told once");
  assert.ok(bodiesOf(events, "holderForceClosed").length <= 1, "our broadcast is told once");
  for (const key of new Set(bodiesOf(events, "htlcEvent").map(({ source }) => source.sourceKey))) {
    const outcomes = outcomesOf(events, key);
    assert.equal(new Set(outcomes).size, outcomes.length, `told twice: ${outcomes.join()}`);
    const failures = outcomes.filter((outcome) => outcome.startsWith("failed"));
    assert.ok(failures.length <= 1, "a failure is told once");
    const claim = outcomes.findIndex((outcome) => outcome.startsWith("claimed"));
    const failure = outcomes.findIndex((outcome) => outcome.startsWith("failed"));
    assert.ok(claim === -1 || failure < claim, "a failure never follows a claim");
  }
}
