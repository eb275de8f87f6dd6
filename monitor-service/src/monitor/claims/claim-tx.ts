/**
 * The transaction of each claim, from state alone: the same state gives the same bytes, because the
 * inputs, the fee and nLockTime are state and signatures are deterministic (M-10).
 */
import { must } from "@farwatch/protocol/assert";
import { txid as toTxid } from "@farwatch/protocol/ids";
import { buildClaimTx, inputSighash, inputWitness } from "../../tx/claim.js";
import type { Publish } from "../effect.js";
import { isSpent } from "../htlcs.js";
import type { Claim, ClaimInput, MonitorState } from "../state.js";
import { isRevoked, keyOfInput, signingKey, toTxInput } from "./claim-inputs.js";

export const claimTransactions = (state: MonitorState): readonly Publish[] =>
  state.claims.flatMap((claim) => claimTransaction(state, claim) ?? []);

/** undefined: nothing to publish now, because there is no version, or it is spent or not final. */
export function claimTransaction(state: MonitorState, claim: Claim): Publish | undefined {
  const inputs = versionInputs(claim);
  const { feeSat, locktime } = claim;
  if (feeSat === undefined || inputs.length === 0 || locktime > state.best.height) return undefined;
  if (inputs.some(({ outpoint }) => isSpent(state, outpoint))) return undefined;
  const { channelType, destinationScript } = state.parameters;
  const txInputs = inputs.map((input) => toTxInput(channelType, input));
  const tx = buildClaimTx(txInputs, destinationScript, feeSat, locktime);
  const tasks = inputs.map((input, index) => ({
    key: signingKey(input),
    digest: inputSighash(tx, index, must(txInputs[index], "same length")),
  }));
  const finish = (signatures: readonly Uint8Array[]): Uint8Array => {
    for (const [index, input] of inputs.entries()) {
      const signature = must(signatures[index], "one signature per input");
      const extras = {
        preimage: input.kind === "counterpartyOffered" ? input.preimage : undefined,
        revocationPubkey: input.kind === "revokedHtlc" ? input.revocationPubkey : undefined,
      };
      tx.setWitness(index, inputWitness(must(txInputs[index], "same length"), signature, extras));
    }
    return tx.toBuffer();
  };
  return {
    role: inputs.some(isRevoked) ? "justice" : "counterpartyHtlcClaim",
    txid: toTxid(tx.getId()),
    spends: inputs.map(({ outpoint }) => outpoint),
    tasks,
    finish,
    claim: { id: claim.id, atLimit: claim.atLimit },
  };
}

const versionInputs = ({ inputs, leftOut }: Claim): readonly ClaimInput[] =>
  inputs.filter((input) => !leftOut.includes(keyOfInput(input)));
