/**
 * The traits LDK is given, each built from a plain function. None of them may throw or call back into
 * LDK: an exception would unwind through WASM and leave its locks taken.
 */
import { fromHex, reversed, toHex } from "@farwatch/protocol/bytes";
import type {
  BroadcasterInterface,
  ConfirmationTarget,
  Event,
  EventHandler,
  FeeEstimator,
  Logger,
  Utxo,
  WalletSource,
} from "lightningdevkit";
import { Psbt } from "bitcoinjs-lib";
import { z } from "zod";
import type { SyncRpc } from "../chain/sync-rpc.js";
import type { FeeTable } from "../fixture/document.js";
import { ldk } from "./module.js";

/** A record of LDK's log, kept to explain a run that failed. */
export type LogSink = (line: string) => void;

/** Fees in force now; a scenario may change them. */
export type CurrentFees = () => FeeTable;

export function feeEstimator(fees: CurrentFees): FeeEstimator {
  return ldk.FeeEstimator.new_impl({
    get_est_sat_per_1000_weight: (target) => feeOf(fees(), target),
  });
}

function feeOf(fees: FeeTable, target: ConfirmationTarget): number {
  const name = ldk.ConfirmationTarget[target]?.replace("LDKConfirmationTarget_", "");
  const known = Object.entries(fees).find(([key]) => key === name);
  const fee: unknown = known?.[1];
  return typeof fee === "number" ? fee : fees.NonAnchorChannelFee;
}

export function logger(sink: LogSink): Logger {
  return ldk.Logger.new_impl({
    log: (record) => {
      if (record.get_level() < ldk.Level.LDKLevel_Debug) return;
      sink(`${record.get_module_path()}:${record.get_line()} ${record.get_args()}`);
    },
  });
}

export const broadcaster = (take: (raw: readonly string[]) => void): BroadcasterInterface =>
  ldk.BroadcasterInterface.new_impl({
    broadcast_transactions: (transactions) => take(transactions.map(toHex)),
  });

export const eventHandler = (take: (event: Event) => void): EventHandler =>
  ldk.EventHandler.new_impl({
    handle_event: (event) => {
      take(event);
      return ldk.Result_NoneReplayEventZ.constructor_ok();
    },
  });

const Unspent = z.array(
  z.object({ txid: z.string(), vout: z.number(), amount: z.number(), scriptPubKey: z.string() }),
);
const AddressInfo = z.object({ scriptPubKey: z.string() });
const Signed = z.object({ hex: z.string() });
const P2WPKH = /^0014[0-9a-f]{40}$/;
/** Weight of a P2WPKH input's witness: counts, a 72-byte signature, a 33-byte key, the empty script. */
const P2WPKH_SATISFACTION_WEIGHT = 112n;

/** A bitcoind wallet as the coins that pay for anchors. */
export function walletSource(rpc: SyncRpc, wallet: string): WalletSource {
  return ldk.WalletSource.new_impl({
    list_confirmed_utxos: () => {
      const coins = rpc
        .ask(Unspent, "listunspent", [1], wallet)
        .filter((coin) => P2WPKH.test(coin.scriptPubKey));
      return ldk.Result_CVec_UtxoZNoneZ.constructor_ok(coins.map(utxo));
    },
    get_change_script: () => {
      const address = rpc.ask(z.string(), "getrawchangeaddress", ["bech32"], wallet);
      return ldk.Result_CVec_u8ZNoneZ.constructor_ok(scriptOf(rpc, wallet, address));
    },
    sign_psbt: (psbt) => {
      const unsigned = toHex(Psbt.fromBuffer(psbt).data.getTransaction());
      const { hex } = rpc.ask(Signed, "signrawtransactionwithwallet", [unsigned], wallet);
      return ldk.Result_TransactionNoneZ.constructor_ok(fromHex(hex));
    },
  });
}

export function scriptOf(rpc: SyncRpc, wallet: string, address: string): Uint8Array {
  return fromHex(rpc.ask(AddressInfo, "getaddressinfo", [address], wallet).scriptPubKey);
}

function utxo(coin: z.infer<typeof Unspent>[number]): Utxo {
  return ldk.Utxo.constructor_new(
    ldk.OutPoint.constructor_new(reversed(fromHex(coin.txid)), coin.vout),
    ldk.TxOut.constructor_new(BigInt(Math.round(coin.amount * 1e8)), fromHex(coin.scriptPubKey)),
    P2WPKH_SATISFACTION_WEIGHT,
  );
}
