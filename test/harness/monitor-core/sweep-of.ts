/** A sweep of everything that may be swept now, planned and signed as the shell does it. */
import { feeratePerKw } from "@farwatch/protocol/amount";
import { must } from "@farwatch/protocol/assert";
import { sweepable } from "@farwatch/monitor-service/monitor/sweepable";
import { inputSighash, inputWitness } from "@farwatch/monitor-service/tx/claim";
import { firstVersion, sweepTx } from "@farwatch/monitor-service/tx/sweep-plan";
import { seedSigner } from "../channel/seed-signer.js";
import { DEFAULT_SEEDS } from "../channel/setup.js";
import type { ProtectedChannel } from "./protected-channel.js";

/** P2WPKH of nobody. */
export const SWEEP_SCRIPT = Uint8Array.from([0, 20, ...new Uint8Array(20).fill(0x5e)]);

/** undefined: nothing may be swept. */
export function sweepOf(p: ProtectedChannel): Uint8Array | undefined {
  const group = sweepable(p.ctx, p.state);
  if (group.length === 0) return undefined;
  const moment = { height: p.height, estimate: feeratePerKw(500), highest: undefined };
  const sweep = must(firstVersion(1, SWEEP_SCRIPT, group, moment), "worth a transaction");
  const tx = sweepTx(sweep, group);
  const signer = seedSigner(p.ctx.curve, DEFAULT_SEEDS.holder);
  for (const [index, { input, signer: by }] of group.entries()) {
    const digest = inputSighash(tx, index, input);
    const [signature] = signer.sign(by.channelKeysId, [{ key: by.key, digest }]);
    tx.setWitness(index, inputWitness(input, must(signature, "signature")));
  }
  return Uint8Array.from(tx.toBuffer());
}
