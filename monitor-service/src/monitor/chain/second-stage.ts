/**
 * The counterparty's delayed outputs on its own commitment and behind it (onchain-engine 5.2.3, 6.3):
 * to_local, and the output of each HTLC it took with a second-stage transaction. Found by their script
 * among all outputs, because one transaction may take several HTLCs. They are remembered from honest
 * commitments too: the secret that makes them ours may arrive later.
 */
import { msatToSatFloor, type Sat } from "@farwatch/protocol/amount";
import { must } from "@farwatch/protocol/assert";
import { blockHeight, type BlockHeight, type BlockPoint } from "@farwatch/protocol/block";
import { equalBytes } from "@farwatch/protocol/bytes";
import { outpointKey, type Outpoint, type PerCommitmentSecret } from "@farwatch/protocol/ids";
import type { CommitmentKeys } from "@farwatch/protocol/bolt/keys";
import { p2wsh, toLocalScript, toRemoteOutput } from "@farwatch/protocol/bolt/scripts";
import type { ParsedTx } from "../../tx/parsed-tx.js";
import { addClaims } from "../claims/add-claims.js";
import { counterpartyKeys, revokedSecret } from "../commitments.js";
import type { ClaimInput, MonitorState, TrackedOutput } from "../state.js";
import { change, type Work } from "../work.js";
import { track } from "./waiting.js";

interface DelayedOutput {
  readonly outpoint: Outpoint;
  readonly valueSat: Sat;
}

/** The script of the counterparty's delayed outputs under a commitment's keys. */
const delayedScript = (work: Work, keys: CommitmentKeys): Uint8Array =>
  toLocalScript(
    keys.revocationPubkey,
    work.state.parameters.holderSelectedContestDelay,
    keys.broadcasterDelayedPubkey,
  );

export function delayedOutputs(
  work: Work,
  keys: CommitmentKeys,
  tx: ParsedTx,
): readonly DelayedOutput[] {
  const scriptPubkey = p2wsh(delayedScript(work, keys));
  return tx.outputs.flatMap((output, vout) =>
    equalBytes(output.scriptPubkey, scriptPubkey)
      ? [{ outpoint: { txid: tx.txid, vout }, valueSat: output.valueSat }]
      : [],
  );
}

/** A commitment of the counterparty's with this secret: it pays us plainly, or it with a delay. */
export function paysAsTheirs(work: Work, tx: ParsedTx, secret: PerCommitmentSecret): boolean {
  const { parameters } = work.state;
  const { channelType, holderPubkeys } = parameters;
  const { scriptPubkey } = toRemoteOutput(channelType, holderPubkeys.paymentPoint);
  if (tx.outputs.some((output) => equalBytes(output.scriptPubkey, scriptPubkey))) return true;
  const keys = counterpartyKeys(work.ctx, parameters, work.ctx.curve.publicKey(secret));
  return delayedOutputs(work, keys, tx).length > 0;
}

/** Claim on such an output of a revoked commitment. */
export function delayedClaim(
  work: Work,
  keys: CommitmentKeys,
  { outpoint, valueSat, createdAt }: DelayedOutput & { readonly createdAt: BlockHeight },
  secret: PerCommitmentSecret,
): ClaimInput {
  const matured = blockHeight(createdAt + work.state.parameters.holderSelectedContestDelay);
  return {
    kind: "revokedToLocal",
    outpoint,
    valueSat,
    script: delayedScript(work, keys),
    secret,
    createdAt,
    contestedFrom: matured,
    notBefore: blockHeight(0),
    deadline: matured,
  };
}

/** A second-stage transaction of the counterparty confirmed: its outputs are ours, now or maybe later. */
export function followSecondStage(work: Work, tx: ParsedTx, block: BlockPoint): void {
  const { spend, parameters } = work.state;
  if (spend?.perCommitmentPoint === undefined || spend.kind === "holder") return;
  const keys = counterpartyKeys(work.ctx, parameters, spend.perCommitmentPoint);
  const outputs = delayedOutputs(work, keys, tx).map(({ outpoint, valueSat }): TrackedOutput => {
    const parent = tx.inputs[outpoint.vout]?.outpoint;
    const worthSat = htlcAmountAt(work.state, parent) ?? valueSat;
    const role = { kind: "secondStage", valueSat, worthSat, parent } as const;
    return { outpoint, createdAt: block.height, role };
  });
  track(work, outputs);
  claimSecondStages(work);
}

/** Claims what is known of second stages, if the confirmed commitment is revoked. */
export function claimSecondStages(work: Work): void {
  const { spend, parameters, tracked, settled } = work.state;
  if (spend?.kind !== "revoked" || spend.perCommitmentPoint === undefined) return;
  const number = must(spend.commitmentNumber, "number of a revoked commitment");
  const secret = must(revokedSecret(work.state, number), "secret of a revoked commitment");
  const keys = counterpartyKeys(work.ctx, parameters, spend.perCommitmentPoint);
  const known = [...tracked, ...settled.tracked];
  const inputs = known.flatMap(({ outpoint, createdAt, role }): readonly ClaimInput[] => {
    if (role.kind !== "secondStage") return [];
    const output = { outpoint, createdAt, valueSat: role.valueSat };
    return [{ ...delayedClaim(work, keys, output, secret), kind: "revokedSecondStage", secret }];
  });
  if (inputs.length === 0) return;
  change(work, {
    tracked: tracked.map(asRevoked),
    settled: { ...settled, tracked: settled.tracked.map(asRevoked) },
  });
  addClaims(work, inputs);
}

function asRevoked(output: TrackedOutput): TrackedOutput {
  if (output.role.kind !== "secondStage") return output;
  const { worthSat, parent } = output.role;
  return { ...output, role: { kind: "revoked", worthSat, parent } };
}

function htlcAmountAt(
  { tracked, settled }: MonitorState,
  at: Outpoint | undefined,
): Sat | undefined {
  if (at === undefined) return undefined;
  const key = outpointKey(at);
  const known = [...tracked, ...settled.tracked];
  const role = known.find(({ outpoint }) => outpointKey(outpoint) === key)?.role;
  if (role?.kind === "htlc") return msatToSatFloor(role.htlc.amountMsat);
  return role?.kind === "revoked" ? role.worthSat : undefined;
}
