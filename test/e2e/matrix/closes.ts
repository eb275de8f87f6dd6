/**
 * How each close goes, for all its cells together: every step is done for all of them before the next
 * block. The counterparty's own transactions go straight into blocks; the monitor's have to come from
 * bitcoind's mempool.
 */
import { must } from "@farwatch/protocol/assert";
import { equalBytes } from "@farwatch/protocol/bytes";
import { nobleCurve } from "@farwatch/protocol/curve/noble-curve";
import { txid, type Preimage } from "@farwatch/protocol/ids";
import { p2wpkh } from "@farwatch/protocol/bolt/scripts";
import { Transaction } from "bitcoinjs-lib";
import { bytesOf, draftOf, finishedTx, fullySigned } from "../../harness/channel/broadcast.js";
import { claimAfterTimeout, claimWithPreimage } from "../../harness/channel/claims.js";
import { cooperativeCloseTx } from "../../harness/channel/cooperative-close.js";
import type { Splice } from "../../harness/channel/splice.js";
import { offer } from "../../harness/channel/test-channel.js";
import type { Bed } from "./bed.js";
import type { Cell, CellHtlc } from "./cell.js";
import { cellName, type Close } from "./cells.js";
import { trySweeps } from "./sweeps.js";

/** Past the depth at which facts are final, and past to_self_delay. */
const BLOCKS_TO_THE_END = 16;
/** Blocks until what waits for 6 confirmations is told, with one to spare. */
export const BLOCKS_TO_FINAL = 7;
const CLOSING_FEE_SAT = 500n;

interface Phase {
  /** Everything before the first transaction is on chain. */
  readonly prepare: (cell: Cell) => Promise<void>;
  /** To the end, where nothing is left to happen. */
  readonly run: (bed: Bed, cells: readonly Cell[]) => Promise<void>;
}

/** Block by block, so that what is told as spendable is tried at once. */
export async function mineToTheEnd(
  bed: Bed,
  cells: readonly Cell[],
  blocks: number,
): Promise<void> {
  for (let i = 0; i < blocks; i++) {
    await bed.mine();
    for (const cell of cells) await trySweeps(bed, cell);
  }
}

/** Both sides go on: what the plan calls "first" is fulfilled. */
async function settleFirst({ channel, htlcs }: Cell): Promise<void> {
  for (const { plan, htlc, secret } of htlcs) {
    if (plan.fate === "first") await channel.fulfillHtlc(htlc, secret.preimage);
  }
  await channel.settle();
}

/** Our monitor learns what it may claim with. */
async function learnOurs({ channel, htlcs }: Cell): Promise<void> {
  for (const { plan, secret } of htlcs) {
    if (plan.from === "counterparty" && plan.fate === "first") {
      await channel.learnPreimage("holder", secret.preimage);
    }
  }
}

export const commitments = (cells: readonly Cell[]): readonly Uint8Array[] =>
  cells.map(({ setup, commitment }) => fullySigned(setup, commitment));

/** The broadcaster's own way to an HTLC: with the preimage, or after the timeout. */
const secondStage = (
  { setup, commitment }: Cell,
  { htlc }: CellHtlc,
  known?: Preimage,
): Uint8Array => finishedTx(draftOf(setup, commitment, htlc, known));

/** The counterparty's commitment of now; it is revoked by what happens next. */
async function prepareRevoked(cell: Cell): Promise<void> {
  await cell.offerAll();
  cell.closing = cell.channel.commitment("counterparty");
  await settleFirst(cell);
}

export const punish: Phase["run"] = async (bed, cells) => {
  await bed.mineOnly(commitments(cells));
  await bed.mine();
  await mineToTheEnd(bed, cells, BLOCKS_TO_FINAL);
};

const punishSecondStage: Phase["run"] = async (bed, cells) => {
  // What the counterparty offered can be taken back in the block behind its commitment.
  await bed.mineTo(Math.max(...cells.map(({ expiry }) => expiry)) - 1);
  await bed.mineOnly(commitments(cells));
  await bed.mineOnly(
    cells.flatMap((cell) =>
      cell
        .outputs()
        .map((entry) =>
          secondStage(
            cell,
            entry,
            entry.plan.from === "holder" ? entry.secret.preimage : undefined,
          ),
        ),
    ),
  );
  await bed.mine();
  await mineToTheEnd(bed, cells, BLOCKS_TO_FINAL);
};

/** HTLC by HTLC after a commitment that is not revoked: ours from the mempool, theirs in between. */
export async function resolveHtlcs(bed: Bed, closing: readonly Cell[]): Promise<void> {
  // One whose commitment did not confirm fails by itself and not the others with it.
  const cells = closing.filter(({ commitment }) => bed.mined.tx(commitment.built.txid));
  await bed.mine(); // ours with a preimage
  await bed.mineOnly(cells.flatMap(theirPreimageClaims));
  await bed.mineTo(Math.max(...cells.map(({ expiry }) => expiry)));
  await bed.mine(); // ours after the timeout
  await bed.mineOnly(cells.flatMap(theirTimeouts));
}

const theirPreimageClaims = (cell: Cell): readonly Uint8Array[] =>
  cell.outputsOf("holder", "first").map((entry) => {
    const { channel, commitment } = cell;
    const { htlc, secret } = entry;
    return commitment.side === "holder"
      ? claimWithPreimage(channel, commitment.side, commitment.number, htlc, secret.preimage)
      : secondStage(cell, entry, secret.preimage);
  });

const theirTimeouts = (cell: Cell): readonly Uint8Array[] =>
  cell.outputsOf("counterparty", "second").map((entry) => {
    const { channel, commitment } = cell;
    return commitment.side === "holder"
      ? claimAfterTimeout(channel, commitment.side, commitment.number, entry.htlc)
      : secondStage(cell, entry);
  });

async function prepareHolder(cell: Cell): Promise<void> {
  await cell.offerAll();
  await learnOurs(cell);
  cell.closing = cell.channel.commitment("holder");
  await cell.channel.forceClose("holder");
}

async function prepareCounterparty(cell: Cell): Promise<void> {
  await cell.offerAll();
  await learnOurs(cell);
  cell.closing = cell.channel.commitment("counterparty");
}

/** In the newest commitment only, so never on chain. */
const EXTRA_SAT = 15_000;

async function preparePrevious(cell: Cell): Promise<void> {
  await prepareCounterparty(cell);
  const { channel, expiry, id } = cell;
  cell.absent = offer(channel, "holder", EXTRA_SAT, `${cellName(id)}: extra`, expiry);
  await channel.signCommitment("holder");
}

export const closeOurselves: Phase["run"] = async (bed, cells) => {
  await bed.follow();
  await bed.mine();
  await resolveHtlcs(bed, cells);
  await mineToTheEnd(bed, cells, BLOCKS_TO_THE_END);
};

const closedByCounterparty: Phase["run"] = async (bed, cells) => {
  await bed.mineOnly(commitments(cells));
  await resolveHtlcs(bed, cells);
  await mineToTheEnd(bed, cells, BLOCKS_TO_THE_END);
};

/** Our output of cooperative closes goes here. */
const SHUTDOWN_SCRIPT = p2wpkh(nobleCurve.publicKey(new Uint8Array(32).fill(0x55)));

async function prepareCoop(cell: Cell): Promise<void> {
  const { channel } = cell;
  await cell.offerAll();
  await settleFirst(cell);
  for (const { plan, htlc } of cell.htlcs) if (plan.fate === "second") channel.failHtlc(htlc);
  await channel.settle();
  await channel.shutdown("holder", SHUTDOWN_SCRIPT);
}

const closeTogether: Phase["run"] = async (bed, cells) => {
  for (const cell of cells) {
    const scripts = { holder: SHUTDOWN_SCRIPT };
    const raw = cooperativeCloseTx(cell.channel, CLOSING_FEE_SAT, scripts);
    const tx = Transaction.fromBuffer(raw);
    const vout = tx.outs.findIndex(({ script }) => equalBytes(script, SHUTDOWN_SCRIPT));
    cell.closingOutput = { txid: txid(tx.getId()), vout };
    await bed.send(raw);
  }
  await mineToTheEnd(bed, cells, BLOCKS_TO_FINAL);
};

/** Taken out of the channel by each splice, its fee included. */
const SPLICED_OUT_SAT = 40_000n;
const SPLICE_FEE_SAT = 1_000n;

/** The holder takes something out; HTLCs live on across it. */
export const spliceOut = ({ channel }: Cell): Promise<Splice> =>
  channel.splices.negotiate({
    addSat: { holder: -SPLICED_OUT_SAT },
    outputs: [{ script: SHUTDOWN_SCRIPT, valueSat: SPLICED_OUT_SAT - SPLICE_FEE_SAT }],
  });

/**
 * One splice is confirmed and locked, the next one is confirmed and not locked when the counterparty
 * publishes its commitment on it.
 */
const spliceAndClose: Phase["run"] = async (bed, cells) => {
  const first = await Promise.all(cells.map(spliceOut));
  for (const { tx } of first) await bed.send(bytesOf(tx));
  await bed.mine(BLOCKS_TO_FINAL);
  await Promise.all(
    cells.map(({ channel }, index) => channel.splices.lock(must(first[index], "one a cell"))),
  );
  for (const cell of cells) {
    cell.splice = await spliceOut(cell);
    cell.closing = cell.channel.splices.commitmentOn(cell.splice.funding, "counterparty");
    await bed.send(bytesOf(cell.splice.tx));
  }
  await bed.mine();
  await closedByCounterparty(bed, cells);
};

const PHASES: Readonly<Record<Close, Phase>> = {
  revoked: { prepare: prepareRevoked, run: punish },
  "revoked + second stage": { prepare: prepareRevoked, run: punishSecondStage },
  holder: { prepare: prepareHolder, run: closeOurselves },
  "counterparty current": { prepare: prepareCounterparty, run: closedByCounterparty },
  "counterparty previous": { prepare: preparePrevious, run: closedByCounterparty },
  coop: { prepare: prepareCoop, run: closeTogether },
  splice: { prepare: prepareCounterparty, run: spliceAndClose },
};

export const prepare = (cell: Cell): Promise<void> => PHASES[cell.id.close].prepare(cell);

export async function runPhase(close: Close, bed: Bed, cells: readonly Cell[]): Promise<void> {
  await Promise.all(cells.map(prepare));
  await PHASES[close].run(bed, cells);
}
