/**
 * What LDK wants on the network goes to bitcoind at once, while LDK waits (its callback is synchronous). A
 * commitment that pays no fee of its own travels with the child that pays, as a package.
 */
import { RpcRefusal } from "@farwatch/monitor-service/chain/bitcoind-rpc";
import { z } from "zod";
import type { SyncRpc } from "../../fixture-recorder/chain/sync-rpc.js";

const ANY_FEERATE = 0;

export function broadcast(rpc: SyncRpc, raws: readonly string[]): string[] {
  const complaints: string[] = [];
  const attempt = (method: string, params: readonly unknown[]): void => {
    try {
      rpc.ask(z.unknown(), method, params);
    } catch (error) {
      if (!(error instanceof RpcRefusal)) throw error;
      complaints.push(error.message);
    }
  };
  if (raws.length > 1) attempt("submitpackage", [raws, ANY_FEERATE]);
  else for (const raw of raws) attempt("sendrawtransaction", [raw, ANY_FEERATE]);
  return complaints;
}
