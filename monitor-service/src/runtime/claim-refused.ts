/**
 * bitcoind refused a claim: looks who else spends its inputs in the mempool and lets the core decide
 * (onchain-engine 9.7). What changes is durable before the next version goes out, as with every step.
 */
import { equalBytes } from "@farwatch/protocol/bytes";
import type { Outpoint } from "@farwatch/protocol/ids";
import type { BroadcastRefusal } from "../chain/chain-source.js";
import type { Publish } from "../monitor/effect.js";
import type { RefusedClaim } from "../monitor/input.js";
import { parseTx } from "../tx/parsed-tx.js";
import { applyInput } from "./apply-input.js";
import type { Core } from "./core.js";
import type { ChannelEntry } from "./monitors.js";
import { runStep } from "./run-step.js";

/** Other transactions than claims, and other reasons, are left to the next block. */
export async function claimRefused(
  core: Core,
  entry: ChannelEntry,
  { claim, txid, spends }: Publish,
  reason: BroadcastRefusal,
): Promise<void> {
  if (claim === undefined || (reason !== "insufficientFee" && reason !== "missingInputs")) return;
  const contested = await contestedOf(core, entry, spends);
  const input: RefusedClaim = { kind: "claimRefused", claim: claim.id, txid, reason, contested };
  if (entry.halt?.scope === "all") return;
  await runStep(core, (draft) => void applyInput(core, draft, entry, input, undefined));
}

async function contestedOf(
  core: Core,
  entry: ChannelEntry,
  spends: readonly Outpoint[],
): Promise<readonly Outpoint[]> {
  const contested: Outpoint[] = [];
  for (const outpoint of spends) {
    if (await isSpentByOthers(core, entry, outpoint)) contested.push(outpoint);
  }
  return contested;
}

/** An older version of ours pays to our destination and to nothing else. */
async function isSpentByOthers(
  { deps: { source } }: Core,
  { durable }: ChannelEntry,
  outpoint: Outpoint,
): Promise<boolean> {
  const spender = await source.mempoolSpender(outpoint);
  const rawTx = spender === undefined ? undefined : await source.mempoolTx(spender);
  if (rawTx === undefined) return false;
  const { destinationScript } = durable.parameters;
  return parseTx(rawTx).outputs.some(
    ({ scriptPubkey }) => !equalBytes(scriptPubkey, destinationScript),
  );
}
