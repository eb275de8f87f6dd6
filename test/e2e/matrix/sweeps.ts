/**
 * Told as spendable means now: with the descriptor and the channel's keys, bitcoind takes a sweep in the
 * block after which it was told. Outputs to scripts of the user's must stand there unspent.
 */
import { z } from "zod";
import { feeratePerKw, sat } from "@farwatch/protocol/amount";
import { must } from "@farwatch/protocol/assert";
import { toHex } from "@farwatch/protocol/bytes";
import type { SpendableOutput } from "@farwatch/protocol/event";
import { outpointKey } from "@farwatch/protocol/ids";
import { derivePublicKey } from "@farwatch/protocol/bolt/keys";
import { toLocalScript } from "@farwatch/protocol/bolt/scripts";
import { feeForWeight } from "@farwatch/protocol/bolt/weights";
import {
  buildClaimTx,
  claimWeight,
  inputSighash,
  inputWitness,
  type ClaimInput,
} from "@farwatch/monitor-service/tx/claim";
import type { PartyKey } from "../../harness/channel/party.js";
import { bodiesOf } from "../../harness/monitor-core/event-rules.js";
import type { Bed } from "./bed.js";
import type { Cell } from "./cell.js";

const verdicts = z.array(
  z.object({ allowed: z.boolean().default(false), "reject-reason": z.string().default("") }),
);
const SWEEP_FEERATE = feeratePerKw(1_012);

/** Tries a sweep of everything told since the last look; what bitcoind refuses is the cell's fault. */
export async function trySweeps(bed: Bed, cell: Cell): Promise<void> {
  const { channelId } = cell.channel;
  const { length } = bed.view(channelId).pendingEventIds;
  if (length === cell.eventsSeen) return;
  cell.eventsSeen = length;
  const told = bodiesOf(bed.events(channelId), "spendableOutputs").flatMap(
    ({ outputs }) => outputs,
  );
  for (const output of told) {
    const key = outpointKey(output.outpoint);
    const isThere = bed.mined.tx(output.outpoint.txid) !== undefined;
    if (cell.swept.has(key) || !isThere) continue;
    cell.swept.add(key);
    const refusal = await sweepRefusal(bed, cell, output);
    if (refusal !== undefined) cell.faults.push(`${output.output.kind} ${key}: ${refusal}`);
  }
}

async function sweepRefusal(
  bed: Bed,
  cell: Cell,
  output: SpendableOutput,
): Promise<string | undefined> {
  const swept = sweepInput(bed, cell, output);
  if (swept === undefined) {
    const { txid, vout } = output.outpoint;
    return (await bed.node.rpc("gettxout", [txid, vout])) === null ? "spent" : undefined;
  }
  const { party } = cell.channel.setup.sides.holder;
  const destination = party.identity.destinationScript;
  const fee = feeForWeight(SWEEP_FEERATE, claimWeight([swept.input], destination));
  const tx = buildClaimTx([swept.input], destination, sat(fee), 0);
  const signature = party.sign(swept.key, inputSighash(tx, 0, swept.input));
  tx.setWitness(0, inputWitness(swept.input, signature));
  const answer = await bed.node.rpc("testmempoolaccept", [[toHex(tx.toBuffer())]]);
  const { allowed, "reject-reason": reason } = must(verdicts.parse(answer)[0], "verdict");
  return allowed ? undefined : reason;
}

/** undefined: paid to a script of the user's, whose key is not the channel's. */
function sweepInput(
  bed: Bed,
  { channel, id }: Cell,
  { outpoint, valueSat, output }: SpendableOutput,
): { readonly input: ClaimInput; readonly key: PartyKey } | undefined {
  const { pubkeys } = channel.setup.sides.holder.party;
  switch (output.kind) {
    case "static":
      return undefined;
    case "staticPayment":
      return {
        input: {
          kind: "toRemote",
          outpoint,
          valueSat,
          channelType: id.type,
          paymentPoint: pubkeys.paymentPoint,
        },
        key: { kind: "payment" },
      };
    case "delayedPayment": {
      const { perCommitmentPoint, contestDelay, revocationPubkey } = output;
      const delayed = derivePublicKey(
        bed.curve,
        pubkeys.delayedPaymentBasepoint,
        perCommitmentPoint,
      );
      const witnessScript = toLocalScript(revocationPubkey, contestDelay, delayed);
      return {
        input: { kind: "delayedOutput", outpoint, valueSat, contestDelay, witnessScript },
        key: { kind: "delayed", perCommitmentPoint },
      };
    }
  }
}
