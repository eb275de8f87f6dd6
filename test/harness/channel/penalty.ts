/**
 * The penalty transaction that a node signs when `cheater` revokes a commitment: it takes to_local, as Core
 * Lightning's channeld does (channeld/watchtower.c) and LDK's sign_to_local_justice_tx.
 */
import { feeratePerKw, sat, type FeeratePerKw } from "@farwatch/protocol/amount";
import { assert, must } from "@farwatch/protocol/assert";
import { deriveRevocationPrivateKey } from "@farwatch/protocol/bolt/keys";
import { toLocalScript } from "@farwatch/protocol/bolt/scripts";
import { feeForWeight } from "@farwatch/protocol/bolt/weights";
import { commitmentNumber } from "@farwatch/protocol/ids";
import {
  buildClaimTx,
  claimWeight,
  inputSighash,
  inputWitness,
  type ClaimInput,
} from "@farwatch/monitor-service/tx/claim";
import { bytesOf } from "./broadcast.js";
import type { Channel } from "./channel.js";
import { otherSide, type Side } from "./setup.js";

const FEERATE = feeratePerKw(2_500);

export function penaltyTransaction(
  channel: Pick<Channel, "commitment" | "setup" | "revokedBelow">,
  cheater: Side,
  number: number,
  feerate: FeeratePerKw = FEERATE,
): Uint8Array {
  assert(number < channel.revokedBelow(cheater), "its secret is known");
  const { sides, curve } = channel.setup;
  const { party, contestDelay } = sides[otherSide(cheater)];
  const { built, keys } = channel.commitment(cheater, number);
  const vout = must(built.toLocalIndex, "to_local");
  const input: ClaimInput = {
    kind: "revokedToLocal",
    outpoint: { txid: built.txid, vout },
    valueSat: sat(must(built.tx.outs[vout], "output").value),
    witnessScript: toLocalScript(
      keys.revocationPubkey,
      contestDelay,
      keys.broadcasterDelayedPubkey,
    ),
  };
  const destination = party.identity.destinationScript;
  const feeSat = feeForWeight(feerate, claimWeight([input], destination));
  const tx = buildClaimTx([input], destination, feeSat, 0);
  const secret = deriveRevocationPrivateKey(
    curve,
    party.secrets.revocationBase,
    sides[cheater].party.secrets.perCommitment(commitmentNumber(number)),
  );
  tx.setWitness(0, inputWitness(input, curve.ecdsaSign(inputSighash(tx, 0, input), secret)));
  return bytesOf(tx);
}
