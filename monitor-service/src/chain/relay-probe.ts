/**
 * Would bitcoind take the package that closes a zero_fee_commitments channel (BIP 431; BOLT pull request
 * 1228)? A node with other policy, such as Knots by default, says no only when money depends on it.
 * No RPC names this policy, and testmempoolaccept judges each fee by itself, so the question is put as a
 * package: a version-3 parent without fee spends somebody's coin, its child pays. The parent lacks the
 * coin's witness, so consensus forbids it and it can never be taken or leave bitcoind; but bitcoind
 * looks at dust and fees before scripts, so the missing witness is named only by a node that relays.
 */
import { Transaction } from "bitcoinjs-lib";
import { toHex } from "@farwatch/protocol/bytes";
import { txid, txidToInternal, type Outpoint } from "@farwatch/protocol/ids";
import { SHARED_ANCHOR_MAX_SAT } from "@farwatch/protocol/bolt/channel-type";
import { SHARED_ANCHOR_SCRIPT } from "@farwatch/protocol/bolt/scripts";
import { RBF_SEQUENCE } from "../tx/claim.js";
import { fieldsOf } from "./answers.js";
import { RpcRefusal, type BitcoindRpc } from "./bitcoind-rpc.js";
import { layOutBlock, TX_END, TX_START, TX_STRIDE } from "./block-layout.js";
import type { ChainSource } from "./chain-source.js";

/** "unknown": no coin to ask with, or an answer that says nothing about policy. */
export type PackageRelay = "unknown" | "relayed" | "refused";

export interface RelayVerdict {
  readonly relay: PackageRelay;
  /** bitcoind's words, or why it is unknown. */
  readonly message: string;
}

/**
 * Above 100 sat/vB for the two, more than a busy mempool asks. Fixed: with a share of a large coin bitcoind
 * refuses the package for its `maxfeerate` (0.1 BTC per 1000 vbytes), and then blames the parent's fee.
 */
const CHILD_FEE_SAT = 50_000n;
/** The child keeps as much as it pays. */
const LEAST_COIN_SAT = 2n * CHILD_FEE_SAT;
/** Blocks looked through for a coin; on a used chain the first has hundreds. */
const SEARCHED_BLOCKS = 6;
/** Coins asked about before giving up; most of a new block's are unspent. */
const MOST_COINS = 32;
/** RPC_METHOD_NOT_FOUND: older than package relay. */
const METHOD_NOT_FOUND = -32601;
const VERSION = 3;
/** The parent got past policy: only its missing witness is wrong. */
const WITNESS_MISSING = /script-verify-flag/;
/** About this coin or this moment, not about policy. */
const SAYS_NOTHING = /missingorspent|missing-inputs|mempool-conflict|mempool full|premature-spend/;

export interface RelayProbeDeps {
  readonly rpc: Pick<BitcoindRpc, "call">;
  readonly source: Pick<ChainSource, "tip" | "header" | "block">;
}

interface Coin {
  readonly outpoint: Outpoint;
  readonly valueSat: bigint;
  readonly script: Uint8Array;
}

/** Rejects with ChainUnavailable when bitcoind does not answer. Changes nothing anywhere. */
export async function probePackageRelay(deps: RelayProbeDeps): Promise<RelayVerdict> {
  const coin = await someCoin(deps);
  if (coin === undefined) return { relay: "unknown", message: "no coin to ask with" };
  // With nothing trimmed the anchor is 0 and dust; with 240 it is not. Both must pass.
  const ephemeral = await ask(deps.rpc, coin, 0n);
  return ephemeral.relay === "relayed" ? ask(deps.rpc, coin, SHARED_ANCHOR_MAX_SAT) : ephemeral;
}

async function ask(
  rpc: Pick<BitcoindRpc, "call">,
  coin: Coin,
  anchorSat: bigint,
): Promise<RelayVerdict> {
  const { parent, child } = packageFor(coin, anchorSat);
  try {
    const answer = fieldsOf(
      await rpc.call("submitpackage", [[parent, child].map((tx) => toHex(tx.toBuffer()))]),
      "submitpackage",
    );
    return verdictOn(parent, answer);
  } catch (error) {
    if (!(error instanceof RpcRefusal)) throw error;
    const relay = error.code === METHOD_NOT_FOUND ? "refused" : "unknown";
    return { relay, message: error.message };
  }
}

function verdictOn(parent: Transaction, answer: Readonly<Record<string, unknown>>): RelayVerdict {
  const results = Object.values(fieldsOf(answer["tx-results"], "tx-results"));
  const own = results
    .map((result) => fieldsOf(result, "tx-results"))
    .find((result) => result["txid"] === parent.getId());
  const error = own?.["error"];
  if (typeof error !== "string") {
    return { relay: "unknown", message: `bitcoind says ${String(answer["package_msg"])}` };
  }
  if (WITNESS_MISSING.test(error)) return { relay: "relayed", message: error };
  return { relay: SAYS_NOTHING.test(error) ? "unknown" : "refused", message: error };
}

/** As a commitment and its child: the parent pays nothing, the child spends the anchor and pays. */
function packageFor({ outpoint, valueSat, script }: Coin, anchorSat: bigint) {
  const parent = new Transaction();
  parent.version = VERSION;
  parent.addInput(txidToInternal(outpoint.txid), outpoint.vout, RBF_SEQUENCE);
  parent.addOutput(SHARED_ANCHOR_SCRIPT, anchorSat);
  parent.addOutput(script, valueSat - anchorSat);
  const child = new Transaction();
  child.version = VERSION;
  const parentHash = txidToInternal(txid(parent.getId()));
  for (const vout of parent.outs.keys()) child.addInput(parentHash, vout, RBF_SEQUENCE);
  child.addOutput(script, valueSat - CHILD_FEE_SAT);
  return { parent, child };
}

/** An unspent coin of the last blocks that nobody can spend without a witness. */
async function someCoin({ rpc, source }: RelayProbeDeps): Promise<Coin | undefined> {
  let { hash } = await source.tip();
  let asked = 0;
  for (let depth = 0; depth < SEARCHED_BLOCKS; depth++) {
    for (const coin of coinsOf(await source.block(hash))) {
      if (++asked > MOST_COINS) return undefined;
      const { txid: id, vout } = coin.outpoint;
      if ((await rpc.call("gettxout", [id, vout, true])) !== null) return coin;
    }
    const header = await source.header(hash);
    if (header === undefined || header.height === 0) return undefined;
    hash = header.previousHash;
  }
  return undefined;
}

/** Newest first, without the coinbase, which nobody may spend yet. */
function* coinsOf(block: Uint8Array): Generator<Coin> {
  const layout = layOutBlock(block);
  if (layout === undefined) return;
  const { txs } = layout;
  for (let i = layout.txCount - 1; i > 0; i--) {
    const at = i * TX_STRIDE;
    const tx = Transaction.fromBuffer(block.slice(txs[at + TX_START], txs[at + TX_END]));
    for (const [vout, { script, value }] of tx.outs.entries()) {
      if (value < LEAST_COIN_SAT || !needsWitness(script)) continue;
      yield { outpoint: { txid: txid(tx.getId()), vout }, valueSat: value, script };
    }
  }
}

/** BIP 141 and 341: P2WPKH, P2WSH and P2TR, none of which an empty witness can satisfy. */
const needsWitness = (script: Uint8Array): boolean =>
  (script.length === 22 && script[0] === 0 && script[1] === 20) ||
  (script.length === 34 && (script[0] === 0 || script[0] === 0x51) && script[1] === 32);
