/**
 * What must be true of a cell when its close is over: the right events once each, every output of ours
 * taken by a transaction bitcoind accepted, and every satoshi of ours told as spendable or paid as fee.
 */
import assert from "node:assert/strict";
import { must } from "@farwatch/protocol/assert";
import type { FundingSpendKind, SpendableOutput } from "@farwatch/protocol/event";
import { outpointKey, type Outpoint } from "@farwatch/protocol/ids";
import { claimableBalances } from "@farwatch/monitor-service/monitor/balances/claimable-balances";
import { bodiesOf, outcomesOf } from "../../harness/monitor-core/event-rules.js";
import type { Bed } from "./bed.js";
import type { Cell } from "./cell.js";
import type { Close, Fate } from "./cells.js";
import { inputsOf, type MinedTx } from "./mined-chain.js";

interface Expected {
  readonly spend: FundingSpendKind;
  /** Told of outbound HTLCs that have an output: at most once for each origin class (contract 2.10). */
  readonly outcome: Readonly<Record<Fate, readonly string[]>>;
  /** Told of outbound dust of fate "second". */
  readonly dust: readonly string[];
}

const FAILED = ["failed:chain"];
const PUNISHED = { first: ["claimed:update"], second: FAILED };
const RESOLVED = { first: ["claimed:chain"], second: FAILED };
const EXPECTED: Readonly<Record<Close, Expected>> = {
  revoked: { spend: "revoked", outcome: PUNISHED, dust: FAILED },
  // The cheater's HTLC-success shows the preimage, once more for what was settled before.
  "revoked + second stage": {
    spend: "revoked",
    outcome: { first: ["claimed:update", "claimed:chain"], second: ["claimed:chain"] },
    dust: FAILED,
  },
  holder: { spend: "holder", outcome: RESOLVED, dust: FAILED },
  "counterparty current": { spend: "counterparty", outcome: RESOLVED, dust: FAILED },
  "counterparty previous": { spend: "counterpartyPrevious", outcome: RESOLVED, dust: FAILED },
  coop: {
    spend: "mutual",
    outcome: { first: ["claimed:update"], second: ["failed:update"] },
    dust: ["failed:update"],
  },
  splice: { spend: "counterparty", outcome: RESOLVED, dust: FAILED },
};

export interface Tolerance {
  /** In a reorganisation bitcoind may be ahead of the monitor and refuse what it offers. */
  readonly refusals: boolean;
  /** What was told as spendable may be lost with a block that was taken for final. */
  readonly lostOutputs: boolean;
}
const NOTHING_ODD: Tolerance = { refusals: false, lostOutputs: false };

export function verify(bed: Bed, cell: Cell, tolerated = NOTHING_ODD): void {
  verifyEvents(bed, cell, EXPECTED[cell.id.close]);
  const broadcasts = broadcastsOf(bed, cell, tolerated);
  const told = bodiesOf(bed.events(cell.channel.channelId), "spendableOutputs").flatMap(
    ({ outputs }) => outputs,
  );
  const standing = tolerated.lostOutputs
    ? told.filter(({ outpoint }) => bed.mined.tx(outpoint.txid) !== undefined)
    : told;
  verifyMoney(bed, cell, standing, broadcasts);
  assert.deepEqual(cell.faults, [], "each output can be swept when it is told");
  const unswept = standing.filter(({ outpoint }) => !cell.swept.has(outpointKey(outpoint)));
  assert.deepEqual(unswept, [], "a sweep of each was tried");
  const { openClaims, state } = bed.view(cell.channel.channelId);
  assert.deepEqual(
    openClaims.filter(({ spent }) => !spent),
    [],
    "nothing is left to claim",
  );
  assert.deepEqual(claimableBalances(state), [], "nothing is left to come");
}

function verifyEvents(bed: Bed, cell: Cell, expected: Expected): void {
  const events = bed.events(cell.channel.channelId);
  assert.deepEqual(
    events.map(({ eventId }) => eventId),
    events.map((_, index) => BigInt(index + 1)),
  );
  const spends = bodiesOf(events, "commitmentTxConfirmed").map(({ spend }) => spend);
  assert.deepEqual(spends, [expected.spend]);
  const closed = bodiesOf(events, "holderForceClosed").length;
  assert.equal(closed, expected.spend === "holder" ? 1 : 0, "our own closes");
  const outbound = cell.htlcs
    .filter(({ plan }) => plan.from === "holder")
    .map(({ plan, htlc }) => ({
      key: htlc.source.sourceKey,
      outcome: cell.id.pending === "dust" ? expected.dust : expected.outcome[plan.fate],
    }));
  if (cell.absent !== undefined) {
    outbound.push({ key: cell.absent.source.sourceKey, outcome: FAILED });
  }
  for (const { key, outcome } of outbound) assert.deepEqual(outcomesOf(events, key), outcome);
  const told = outbound.reduce((sum, { outcome }) => sum + outcome.length, 0);
  assert.equal(bodiesOf(events, "htlcEvent").length, told, "and of no other HTLC");
}

/** Txids bitcoind took from us. It never refused one, and nothing waited in vain. */
function broadcastsOf(bed: Bed, cell: Cell, { refusals }: Tolerance): ReadonlySet<unknown> {
  const lines = bed.linesOf(cell.channel.channelId);
  const troubles = lines.filter(({ level }) => level !== "info");
  if (!refusals) assert.deepEqual(troubles, [], "no transaction of ours is refused");
  return new Set(
    lines.filter(({ message }) => message === "broadcast").map(({ fields }) => fields["txid"]),
  );
}

/** Outputs that must become ours. */
function wins(bed: Bed, cell: Cell): readonly Outpoint[] {
  const resolved = (): readonly Outpoint[] =>
    [...cell.outputsOf("holder", "second"), ...cell.outputsOf("counterparty", "first")].map(
      ({ outpoint }) => outpoint,
    );
  switch (cell.id.close) {
    case "revoked":
      return [
        cell.main("toRemoteIndex"),
        cell.main("toLocalIndex"),
        ...cell.outputs().map(({ outpoint }) => outpoint),
      ];
    case "revoked + second stage":
      return [
        cell.main("toRemoteIndex"),
        cell.main("toLocalIndex"),
        ...cell.outputs().map(({ outpoint }) => ({ txid: spender(bed, outpoint).txid, vout: 0 })),
      ];
    case "holder":
      return [cell.main("toLocalIndex"), ...resolved()];
    case "counterparty current":
    case "counterparty previous":
    case "splice":
      return [cell.main("toRemoteIndex"), ...resolved()];
    case "coop":
      return [must(cell.closingOutput, "our output of the closing transaction")];
  }
}

const spender = (bed: Bed, outpoint: Outpoint): MinedTx =>
  must(bed.mined.spenderOf(outpoint), `a confirmed spend of ${outpointKey(outpoint)}`);

function verifyMoney(
  bed: Bed,
  cell: Cell,
  told: readonly SpendableOutput[],
  broadcasts: ReadonlySet<unknown>,
): void {
  const toldKeys = new Map(told.map((output) => [outpointKey(output.outpoint), output]));
  assert.equal(toldKeys.size, told.length, "each output is told once");
  const valueOf = ({ txid, vout }: Outpoint): bigint =>
    must(must(bed.mined.tx(txid), "a confirmed transaction").tx.outs[vout], "output").value;
  const all = wins(bed, cell);
  const winKeys = new Set(all.map(outpointKey));
  const direct = all.filter((outpoint) => toldKeys.has(outpointKey(outpoint)));
  const spenders = new Map(
    all
      .filter((outpoint) => !toldKeys.has(outpointKey(outpoint)))
      .map((outpoint) => spender(bed, outpoint))
      .map((mined) => [mined.txid, mined] as const),
  );
  const expectedKeys = new Set(direct.map(outpointKey));
  for (const { txid, tx } of spenders.values()) {
    assert.ok(broadcasts.has(txid), `${txid} is ours`);
    const from = inputsOf(tx);
    const ours = from.filter((input) => winKeys.has(outpointKey(input)));
    const paid = tx.outs
      .map((_, vout) => ({ txid, vout }))
      .filter((outpoint) => toldKeys.has(outpointKey(outpoint)));
    for (const outpoint of paid) expectedKeys.add(outpointKey(outpoint));
    const sum = (outpoints: readonly Outpoint[]): bigint =>
      outpoints.reduce((total, outpoint) => total + valueOf(outpoint), 0n);
    const cost = sum(ours) - sum(paid);
    if (ours.length < from.length) {
      assert.equal(cost, 0n, "a wallet pays the fee, not the HTLC");
    } else {
      const fee = sum(from) - tx.outs.reduce((total, { value }) => total + value, 0n);
      assert.equal(cost, fee, "what is not told as spendable is the fee");
      assert.ok(fee > 0n && fee * 2n <= sum(ours), `a fee of ${fee}`);
    }
  }
  assert.deepEqual([...toldKeys.keys()].sort(), [...expectedKeys].sort(), "nothing else is told");
  for (const { outpoint, valueSat } of told) assert.equal(valueSat, valueOf(outpoint));
  for (const { outpoint } of cell.closing === undefined ? [] : cell.outputs()) {
    const end = spender(bed, outpoint);
    const isWin = winKeys.has(outpointKey(outpoint));
    assert.equal(broadcasts.has(end.txid), isWin, "the others are the counterparty's");
  }
}
