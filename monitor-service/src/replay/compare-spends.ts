/**
 * Which outputs of the channel we spend, and from which height on. Txids, fees and how claims are joined
 * are no part of it: two versions of LDK differ in them already.
 */
import { must } from "@farwatch/protocol/assert";
import { outpointKey, txid, type Outpoint } from "@farwatch/protocol/ids";
import type { RecordedBroadcast } from "./recorded-broadcasts.js";
import type { ExpectationShape, ExpectedBroadcastShape } from "./recording-shape.js";
import type { ReplayedNode } from "./replay-node.js";
import type { Deliberate, Verdict } from "./verdict.js";

export function compareSpends(
  expected: ExpectationShape,
  recorded: readonly RecordedBroadcast[],
  node: ReplayedNode,
): Verdict {
  const { journal } = node;
  const splits = splitsOf(recorded, node);
  const futile = recorded.filter(({ gone }) => gone.length > 0);
  const bad = journal.broadcasts.filter(({ signaturesValid }) => !signaturesValid);
  const told: Deliberate = {
    name: "no_futile_claims",
    detail: `recorded ${futile.length} times, of inputs that were spent already`,
  };
  return {
    problems: [
      ...expected.confirmed_broadcasts.flatMap((broadcast) => missedSpends(broadcast, node)),
      ...splits.missed,
      ...journal.futile.map(
        ({ height, txid: id, outpoint }) =>
          `+ broadcast at ${height}: ${id} spends ${outpointKey(outpoint)}, which is spent`,
      ),
      ...bad.map(({ txid: id }) => `+ broadcast: ${id} has a signature that does not verify`),
    ],
    deliberate: [...(futile.length === 0 ? [] : [told]), ...splits.claimed],
  };
}

/**
 * We were spending each output from the recorded height on, until the block that confirmed its spend; an
 * anchor only until its commitment confirmed, because nothing waits for the child after that.
 */
function missedSpends(broadcast: ExpectedBroadcastShape, node: ReplayedNode): readonly string[] {
  const { first_height: from, confirmed, role, inputs } = broadcast;
  if (!inputs.some((input) => isOfChannel(node, input))) {
    return [`- spend from ${from} to ${confirmed} (${role}): no input is an output of a channel`];
  }
  return inputs.flatMap((input) => {
    if (!isOfChannel(node, input)) return [];
    const coverage = node.journal.coverageOf(input);
    const until = isAnchor(node, input) ? confirmationOf(node, input) : confirmed;
    if (coverage !== undefined && coverage.first <= from && coverage.last >= until - 1) return [];
    const ours =
      coverage === undefined ? "never spent" : `spent from ${coverage.first} to ${coverage.last}`;
    return [`- spend from ${from} to ${confirmed} (${role}): ${input} ${ours} by us`];
  });
}

const isAnchor = ({ journal }: ReplayedNode, input: string): boolean =>
  journal.bumps.some(
    ({ kind, outpoints }) => kind === "commitment" && outpoints.map(outpointKey).includes(input),
  );

const confirmationOf = ({ chain }: ReplayedNode, input: string): number =>
  must(chain.output(toOutpoint(input)), "an output of the recorded chain").height;

/**
 * Outputs that a channel's commitment or second stages made stand under a script; a wallet that pays a
 * fee brings inputs of its own keys.
 */
function isOfChannel({ chain }: ReplayedNode, input: string): boolean {
  const script = chain.output(toOutpoint(input))?.scriptPubkey;
  return script?.length === P2WSH_BYTES && script[0] === 0 && script[1] === 32;
}
const P2WSH_BYTES = 34;

function toOutpoint(key: string): Outpoint {
  const [id = "", vout = ""] = key.split(":");
  return { txid: txid(id), vout: Number(vout) };
}

/**
 * The recorded monitor spent several outputs together when one of them was gone: nobody could take that
 * transaction. Each of the others must be ours to claim from that height on, in a transaction that can
 * confirm (futile ones are a problem of their own).
 */
function splitsOf(
  recorded: readonly RecordedBroadcast[],
  { journal }: ReplayedNode,
): { readonly missed: readonly string[]; readonly claimed: readonly Deliberate[] } {
  const stuck = new Map<string, number>();
  for (const { gone, inputs, height } of recorded) {
    if (gone.length === 0) continue;
    for (const key of inputs.map(outpointKey)) {
      if (!gone.includes(key) && !stuck.has(key)) stuck.set(key, height);
    }
  }
  const missed: string[] = [];
  const claimed: Deliberate[] = [];
  for (const [key, height] of stuck) {
    const first = journal.coverageOf(key)?.first;
    if (first === undefined || first > height) {
      missed.push(
        `- spend from ${height}: ${key} is stuck in a joint claim, and not claimed by us`,
      );
    } else {
      claimed.push({ name: "joint_claim_split", detail: `${key} is claimed from ${first} on` });
    }
  }
  return { missed, claimed };
}
