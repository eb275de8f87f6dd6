/** Whether signatures open their digests under the public keys of the tasks they were made for. */
import { assertNever, must } from "@farwatch/protocol/assert";
import type { Txid } from "@farwatch/protocol/ids";
import type { Curve } from "@farwatch/protocol/curve/curve";
import { derivePublicKey, deriveRevocationPublicKey } from "@farwatch/protocol/bolt/keys";
import type { SigningKey, SigningTask } from "../monitor/effect.js";
import { knownScopes } from "../monitor/scopes.js";
import type { MonitorState } from "../monitor/state.js";

export const signaturesValid = (
  curve: Curve,
  state: MonitorState,
  tasks: readonly SigningTask[],
  signatures: readonly Uint8Array[],
): boolean =>
  tasks.length === signatures.length &&
  tasks.every(({ key, digest }, index) =>
    curve.ecdsaVerify(
      must(signatures[index], "one signature per task"),
      digest,
      publicKeyOf(curve, state, key),
    ),
  );

function publicKeyOf(curve: Curve, state: MonitorState, key: SigningKey): Uint8Array {
  const { holderPubkeys } = state.parameters;
  switch (key.kind) {
    case "funding":
    case "anchor":
      return fundingPubkey(state, key.spliceParent);
    case "payment":
      return holderPubkeys.paymentPoint;
    case "delayed":
      return derivePublicKey(curve, holderPubkeys.delayedPaymentBasepoint, key.perCommitmentPoint);
    case "htlc":
      return derivePublicKey(curve, holderPubkeys.htlcBasepoint, key.perCommitmentPoint);
    case "revocation":
      return deriveRevocationPublicKey(
        curve,
        holderPubkeys.revocationBasepoint,
        curve.publicKey(key.perCommitmentSecret),
      );
    default:
      return assertNever(key);
  }
}

/** Every splice has a funding key of its own (onchain-engine 2.2). */
function fundingPubkey(state: MonitorState, spliceParent: Txid | undefined): Uint8Array {
  const scope = knownScopes(state).find(
    ({ parameters }) => parameters.spliceParentFundingTxid === spliceParent,
  );
  return (scope ?? state).parameters.holderPubkeys.fundingPubkey;
}
