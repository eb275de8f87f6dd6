/**
 * bitcoind refused a claim: looks who else spends its inputs in the mempool and lets the core decide
 * (onchain-engine 9.7). What changes is durable before the next version goes out, as with every step.
 */
import { equalBytes } from "@farwatch/protocol/bytes";
import { preimage, type Outpoint, type Preimage } from "@farwatch/protocol/ids";
import type { BroadcastRefusal } from "../chain/chain-source.js";
import type { Publish } from "../monitor/effect.js";
import type { RefusedClaim } from "../monitor/input.js";
import { parseTx, type ParsedTx } from "../tx/parsed-tx.js";
import { applyInput } from "./apply-input.js";
import type { Core } from "./core.js";
import type { ChannelEntry } from "./monitors.js";
import { runStep } from "./run-step.js";

const PREIMAGE_BYTES = 32;

/** Other transactions than claims, and other reasons, are left to the next block. */
export async function claimRefused(
  core: Core,
  entry: ChannelEntry,
  { claim, txid, spends }: Publish,
  reason: BroadcastRefusal,
): Promise<void> {
  if (claim === undefined || (reason !== "insufficientFee" && reason !== "missingInputs")) return;
  const rivals = await rivalsOf(core, entry, spends);
  const input: RefusedClaim = {
    kind: "claimRefused",
    claim: claim.id,
    txid,
    reason,
    contested: rivals.map(({ outpoint }) => outpoint),
    revealed: rivals.flatMap(({ tx }) => preimagesIn(tx)),
  };
  if (entry.halt?.scope === "all") return;
  await runStep(core, (draft) => void applyInput(core, draft, entry, input, undefined));
}

/** Somebody else's unconfirmed transaction and which of our claim's outputs it spends. */
interface Rival {
  readonly outpoint: Outpoint;
  readonly tx: ParsedTx;
}

async function rivalsOf(
  { deps: { source } }: Core,
  { durable }: ChannelEntry,
  spends: readonly Outpoint[],
): Promise<readonly Rival[]> {
  const { destinationScript } = durable.parameters;
  const rivals: Rival[] = [];
  for (const outpoint of spends) {
    const spender = await source.mempoolSpender(outpoint);
    const rawTx = spender === undefined ? undefined : await source.mempoolTx(spender);
    if (rawTx === undefined) continue;
    const tx = parseTx(rawTx);
    if (!isOurs(tx, destinationScript)) rivals.push({ outpoint, tx });
  }
  return rivals;
}

/** An older version of ours pays to our destination and to nothing else. */
const isOurs = ({ outputs }: ParsedTx, destinationScript: Uint8Array): boolean =>
  outputs.every(({ scriptPubkey }) => equalBytes(scriptPubkey, destinationScript));

const preimagesIn = ({ inputs }: ParsedTx): readonly Preimage[] =>
  inputs.flatMap(({ witness }) =>
    witness.filter(({ length }) => length === PREIMAGE_BYTES).map((item) => preimage(item)),
  );
