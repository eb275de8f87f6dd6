/** A bump request as a wallet of the manager gets it: everything that it needs to build the transaction. */
import type { BumpTransaction, ForeignInput } from "@farwatch/protocol/bump";
import { assemble } from "../../tx/funding-plan.js";
import type { BumpRequest, CommitmentBump, HtlcBump, OwnInput } from "../effect.js";
import { batchPlanAtTarget, maxBatchWeight, maxChildWeight } from "./bump-plans.js";

/**
 * `commitmentTx`: the signed commitment of a commitment's request. undefined: there is nothing that a
 * wallet could do, because the commitment has no anchor of ours.
 */
export function bumpMessage(
  request: BumpRequest,
  commitmentTx: Uint8Array,
): BumpTransaction | undefined {
  const { claimId, targetFeerate } = request;
  if (request.kind === "htlcs") return { claimId, targetFeerate, of: htlcs(request) };
  if (request.anchor === undefined) return undefined;
  return { claimId, targetFeerate, of: commitment(request, commitmentTx, request.anchor) };
}

const commitment = (
  { commitmentFeeSat, commitmentWeight, version, maxFeeSat }: CommitmentBump,
  commitmentTx: Uint8Array,
  anchor: OwnInput,
): BumpTransaction["of"] => ({
  kind: "commitment",
  commitmentTx,
  commitmentFeeSat,
  commitmentWeight,
  anchor: foreign(anchor),
  childVersion: version,
  childMaxWeight: maxChildWeight(version),
  maxFeeSat,
});

const htlcs = (request: HtlcBump): BumpTransaction["of"] => ({
  kind: "htlcs",
  commitmentTxid: request.commitmentTxid,
  locktime: request.locktime,
  version: request.version,
  maxWeight: maxBatchWeight(request.version),
  htlcs: request.htlcs.map((member) => ({
    ...foreign(member.input),
    transaction: Uint8Array.from(
      assemble(batchPlanAtTarget(request, [member]), [], undefined).toBuffer(),
    ),
    maxFeeSat: member.maxFeeSat,
  })),
});

const foreign = ({ outpoint, valueSat, scriptPubkey, inputWeight }: OwnInput): ForeignInput => ({
  outpoint,
  valueSat,
  scriptPubkey,
  inputWeight,
});
