/** A funding transaction that somebody broadcasts by hand, from a coin that anyone may spend. */
import { Transaction } from "bitcoinjs-lib";
import { reversed, fromHex } from "@farwatch/protocol/bytes";
import { txid, type Outpoint } from "@farwatch/protocol/ids";
import { p2wsh } from "@farwatch/protocol/bolt/scripts";
import type { Prevout } from "@farwatch/monitor-service/tx/testing/script-check";
import type { ChannelPlan } from "../channel/channel.js";

/** `OP_1`. */
const ANYONE = Uint8Array.of(0x51);
const FEE_SAT = 500n;
const COIN: Outpoint = { txid: txid("c0".repeat(32)), vout: 0 };

export interface HandFunding {
  readonly raw: Uint8Array;
  readonly outpoint: Outpoint;
  /** What it spends. */
  readonly coin: { readonly outpoint: Outpoint; readonly prevout: Prevout };
}

export function handFunding({
  fundingScriptPubkey,
  setup,
}: Pick<ChannelPlan, "fundingScriptPubkey"> & {
  readonly setup: Pick<ChannelPlan["setup"], "capacitySat">;
}): HandFunding {
  const tx = new Transaction();
  tx.version = 2;
  tx.addInput(reversed(fromHex(COIN.txid)), COIN.vout);
  tx.setWitness(0, [ANYONE]);
  tx.addOutput(fundingScriptPubkey, setup.capacitySat);
  const prevout = { script: p2wsh(ANYONE), value: setup.capacitySat + FEE_SAT };
  return {
    raw: Uint8Array.from(tx.toBuffer()),
    outpoint: { txid: txid(tx.getId()), vout: 0 },
    coin: { outpoint: COIN, prevout },
  };
}
