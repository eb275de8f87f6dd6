/** Outpoint <-> wire. */
import { txidFromInternal, txidToInternal, type Outpoint } from "../ids.js";
import type * as wire from "../../gen/monitor/v1/channel.js";
import { fixed } from "./reader.js";

export function readOutpoint(outpoint: wire.Outpoint, field: string): Outpoint {
  return {
    txid: txidFromInternal(fixed(outpoint.txid, 32, `${field}.txid`)),
    vout: outpoint.vout,
  };
}
export const writeOutpoint = (outpoint: Outpoint): wire.Outpoint => ({
  txid: Buffer.from(txidToInternal(outpoint.txid)),
  vout: outpoint.vout,
});
