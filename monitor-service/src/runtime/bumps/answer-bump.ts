/**
 * A wallet of the manager answers a bump request: its transaction is held against what the request asks
 * for, and its coins against the chain and against other claims, before anything of ours is signed. A
 * coin that another claim spends is refused, because the dearer of two would undo the other.
 */
import { outpointKey, type Outpoint, type Txid } from "@farwatch/protocol/ids";
import { refuse, type Refusal } from "@farwatch/protocol/reasons";
import { err, ok, type Result } from "@farwatch/protocol/result";
import type { ChainSource } from "../../chain/chain-source.js";
import {
  batchPlanAtTarget,
  childPlanAtTarget,
  type BumpPlan,
} from "../../monitor/bumps/bump-plans.js";
import { batchId } from "../../monitor/bumps/claim-id.js";
import type { BumpRequest } from "../../monitor/effect.js";
import { feerateOfFunded } from "../../tx/funded-tx.js";
import type { WalletInput } from "../../tx/funding-plan.js";
import { parseTx, type ParsedTx } from "../../tx/parsed-tx.js";
import { transactionOfPsbt } from "../../tx/psbt.js";
import type { BumpAnswer } from "../monitor-host.js";
import type { ChannelEntry } from "../monitors.js";
import type { BumpBook, SentBump } from "./bump-book.js";
import type { BumpJob, BumpSender } from "./bump-sender.js";

export interface AnswerDeps {
  readonly source: Pick<ChainSource, "confirmedOutput">;
  readonly book: BumpBook;
  readonly sender: BumpSender;
}

/** Errors: fundingRefused, notRelayed. Throws ChainUnavailable. */
export async function answerBump(
  deps: AnswerDeps,
  entry: ChannelEntry,
  request: BumpRequest,
  funded: BumpAnswer["funded"],
  send: BumpJob["send"],
): Promise<Result<Txid, Refusal>> {
  const rawTx = funded.kind === "psbt" ? transactionOfPsbt(funded.bytes) : funded.bytes;
  const tx = rawTx && readTx(rawTx);
  if (rawTx === undefined || tx === undefined) return err(refusedFor("unreadable"));
  const plan = planOf(request, tx);
  if (plan === undefined) return err(refusedFor("changed"));
  const before = overlapping(deps.book, entry, plan);
  const coins = await coinsOf(deps, tx, plan, before);
  if (!coins.ok) return coins;
  const answer = { rawTx, walletInputs: coins.value };
  const rate = feerateOfFunded(plan, answer) ?? plan.feeratePerKw;
  const { claimId } = request;
  const outpoints = plan.inputs.map(({ outpoint }) => outpoint);
  const fresh = request.kind === "commitment" ? claimId : batchId(claimId, outpoints);
  const bumpId = before[0]?.bumpId ?? fresh;
  const job = {
    entry,
    claimId,
    bumpId,
    plan: { ...plan, feeratePerKw: rate },
    broken: false,
    send,
  };
  const done = await deps.sender.offer(job, answer);
  if (done.ok) {
    for (const replaced of before.slice(1)) await deps.sender.forget(entry, replaced);
    return ok(done.value.txid);
  }
  if (typeof done.error === "string") return err(refusedFor(done.error));
  const { reason, message } = done.error;
  return err(refuse("notRelayed", `bitcoind refused it: ${message}`, { cause: reason }));
}

const refusedFor = (fault: string): Refusal =>
  refuse("fundingRefused", `the funded transaction is not signed: ${fault}`, { fault });

function readTx(raw: Uint8Array): ParsedTx | undefined {
  try {
    return parseTx(raw);
  } catch {
    return undefined; // the library throws plain errors on bytes that are no transaction
  }
}

/** What the transaction should be, judging by the outputs of ours that it begins with. */
function planOf(request: BumpRequest, tx: ParsedTx): BumpPlan | undefined {
  const [first] = tx.inputs;
  if (request.kind === "commitment") {
    const plan = childPlanAtTarget(request);
    const isAnchor = ({ outpoint }: BumpPlan["inputs"][number]): boolean =>
      first !== undefined && outpointKey(outpoint) === outpointKey(first.outpoint);
    return plan?.inputs.every(isAnchor) === true ? plan : undefined;
  }
  const wanted = new Map(request.htlcs.map((htlc) => [outpointKey(htlc.input.outpoint), htlc]));
  const members = [];
  for (const { outpoint } of tx.inputs) {
    const member = wanted.get(outpointKey(outpoint));
    if (member === undefined) break;
    members.push(member);
  }
  return members.length === 0 ? undefined : batchPlanAtTarget(request, members);
}

/** Earlier answers that spend some of the same outputs: this one replaces them. */
function overlapping(
  book: BumpBook,
  { channelNo }: ChannelEntry,
  { inputs }: BumpPlan,
): readonly SentBump[] {
  const ours = new Set(inputs.map(({ outpoint }) => outpointKey(outpoint)));
  return book
    .ofChannel(channelNo)
    .filter(({ own }) => own.some((outpoint) => ours.has(outpointKey(outpoint))));
}

async function coinsOf(
  { source, book }: AnswerDeps,
  tx: ParsedTx,
  plan: BumpPlan,
  before: readonly SentBump[],
): Promise<Result<readonly WalletInput[], Refusal>> {
  const ownCoins = new Set(before.flatMap(({ coins }) => coins).map(outpointKey));
  const taken = new Set(book.coins().map(outpointKey));
  const coins: WalletInput[] = [];
  for (const { outpoint } of tx.inputs.slice(plan.inputs.length)) {
    const key = outpointKey(outpoint);
    if (taken.has(key) && !ownCoins.has(key)) return err(coinRefused("coinInUse", outpoint));
    const found = await source.confirmedOutput(outpoint);
    if (found === undefined) return err(coinRefused("coinNotConfirmed", outpoint));
    coins.push({ outpoint, valueSat: found.valueSat });
  }
  return ok(coins);
}

const coinRefused = (fault: string, outpoint: Outpoint): Refusal => {
  const refusal = refusedFor(fault);
  return { ...refusal, details: { ...refusal.details, outpoint: outpointKey(outpoint) } };
};
