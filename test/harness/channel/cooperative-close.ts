/**
 * The closing transaction both sides sign when no HTLC is pending (BOLT 2, "Closing Negotiation"; BOLT
 * 3, "Closing Transaction"): final at once, the opener pays the fee, dust goes to the fee as well.
 */
import { Transaction } from "bitcoinjs-lib";
import { compareBytes } from "@farwatch/protocol/bytes";
import { txidToInternal } from "@farwatch/protocol/ids";
import { addFundingWitness, commitmentSighash } from "@farwatch/monitor-service/bolt/commitment-tx";
import { dustLimitSat } from "@farwatch/monitor-service/tx/fee";
import { bytesOf } from "./broadcast.js";
import type { Channel } from "./channel.js";
import { demand } from "./refusal.js";
import { bySide, SIDES, type Side } from "./setup.js";

const TX_VERSION = 2;
/** Not replaceable, no relative lock: the amounts are agreed. */
const FINAL_SEQUENCE = 0xffffffff;

/** Fully signed. Refuses `htlcsPending`, and `insufficientFunds` when the opener cannot pay. */
export function cooperativeCloseTx(
  channel: Channel,
  feeSat: bigint,
  scripts: Partial<Readonly<Record<Side, Uint8Array>>> = {},
): Uint8Array {
  const { setup } = channel;
  const settled = SIDES.every(
    (side) =>
      !channel.canSign(side) &&
      !channel.owesRevocation(side) &&
      channel.onItsWayTo(side) === undefined,
  );
  demand(settled && channel.liveHtlcs().length === 0, "htlcsPending", "settle everything first");
  const { balanceMsat } = channel.commitment("holder").state;
  const valueSat = bySide(
    (side) => balanceMsat[side] / 1000n - (side === setup.opener ? feeSat : 0n),
  );
  demand(valueSat[setup.opener] >= 0n, "insufficientFunds", "the opener cannot pay the fee");

  const outputs = SIDES.map((side) => ({
    script: scripts[side] ?? setup.sides[side].party.identity.destinationScript,
    value: valueSat[side],
  }))
    .filter(({ script, value }) => value >= dustLimitSat(script))
    .sort((a, b) => Number(a.value - b.value) || compareBytes(a.script, b.script));
  const tx = new Transaction();
  tx.version = TX_VERSION;
  tx.addInput(txidToInternal(channel.funding.txid), channel.funding.vout, FINAL_SEQUENCE);
  for (const { script, value } of outputs) tx.addOutput(script, value);

  const digest = commitmentSighash(tx, setup.fundingWitnessScript, setup.capacitySat);
  const signatures = bySide((side) => setup.sides[side].party.sign({ kind: "funding" }, digest));
  const keys = bySide((side) => setup.sides[side].party.pubkeys.fundingPubkey);
  addFundingWitness(tx, keys.holder, signatures.holder, keys.counterparty, signatures.counterparty);
  return bytesOf(tx);
}
