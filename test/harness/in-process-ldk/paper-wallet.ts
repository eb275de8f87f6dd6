/** A wallet of coins nobody has, for LDK's bump handler: the paper chain asks for no signature. */
import { Psbt, Transaction } from "bitcoinjs-lib";
import type { BumpTransactionEventHandler } from "lightningdevkit";
import { ldk } from "../../fixture-recorder/ldk/module.js";
import type { NodeIdentity } from "./node.js";
import type { PaperChain } from "./paper-chain.js";

const P2WPKH = Uint8Array.from([0x00, 0x14, ...new Uint8Array(20).fill(9)]);
const COIN_SAT = 1_000_000n;
/** Weight of a P2WPKH input's witness. */
const SATISFACTION_WEIGHT = 112n;
const COINS = 20;
const COIN_TXID = new Uint8Array(32).fill(0xcc);

const alive: object[] = [];

export function bumpHandler(
  identity: NodeIdentity,
  chain: PaperChain,
): BumpTransactionEventHandler {
  const source = ldk.WalletSource.new_impl({
    list_confirmed_utxos: () => ldk.Result_CVec_UtxoZNoneZ.constructor_ok(coins(chain)),
    get_change_script: () => ldk.Result_CVec_u8ZNoneZ.constructor_ok(P2WPKH),
    sign_psbt: (psbt) => ldk.Result_TransactionNoneZ.constructor_ok(signed(psbt)),
  });
  const wallet = ldk.Wallet.constructor_new(source, identity.logger);
  const selection = wallet.as_CoinSelectionSource();
  const signers = identity.keys.as_SignerProvider();
  alive.push(source, wallet, selection, signers);
  return ldk.BumpTransactionEventHandler.constructor_new(
    identity.broadcast,
    selection,
    signers,
    identity.logger,
  );
}

const coins = (chain: PaperChain) =>
  Array.from({ length: COINS }, (_, vout) => vout)
    .filter((vout) => chain.spenderOf(Buffer.from(COIN_TXID).toString("hex"), vout) === undefined)
    .map((vout) =>
      ldk.Utxo.constructor_new(
        ldk.OutPoint.constructor_new(COIN_TXID, vout),
        ldk.TxOut.constructor_new(COIN_SAT, P2WPKH),
        SATISFACTION_WEIGHT,
      ),
    );

/** With something where the wallet's own signatures would stand. */
function signed(psbt: Uint8Array): Uint8Array {
  const tx = Transaction.fromBuffer(Psbt.fromBuffer(Buffer.from(psbt)).data.getTransaction());
  tx.ins.forEach(({ hash }, at) => {
    const isOurs = Buffer.from(hash).equals(Buffer.from(COIN_TXID));
    if (isOurs) tx.setWitness(at, [Buffer.alloc(71, 1), Buffer.alloc(33, 2)]);
  });
  return Uint8Array.from(tx.toBuffer());
}
