/**
 * A copy of a node's monitor from some moment of the run, with the node's own keys: a cheater's from before
 * its commitment was revoked, or the node's latest. What it would broadcast is collected, and the scenario
 * decides what confirms. Nothing of it is recorded.
 */
import { must } from "@farwatch/protocol/assert";
import { fromHex, toHex } from "@farwatch/protocol/bytes";
import type { BumpTransactionEventHandler, ChannelMonitor, Event } from "lightningdevkit";
import { Transaction } from "bitcoinjs-lib";
import { inputsOf } from "./chain/recorded-chain.js";
import { transactionsOf } from "./fixture/confirmed.js";
import type { RecordedBlock } from "./fixture/document.js";
import { ldk } from "./ldk/module.js";
import { broadcaster, eventHandler, feeEstimator, logger, walletSource } from "./ldk/traits.js";
import type { LightningNode } from "./node/lightning-node.js";
import type { Snapshot } from "./node/watch.js";

export class DetachedMonitor {
  readonly #monitor: ChannelMonitor;
  readonly #bumper: BumpTransactionEventHandler;
  readonly #logger = logger(() => undefined);
  readonly #broadcaster = broadcaster((raws) => this.#take(raws));
  readonly #feeEstimator;
  readonly #channel: string;
  /** Raw transactions by txid, oldest first. */
  readonly #made = new Map<string, string>();

  constructor(node: LightningNode, snapshot: Snapshot) {
    const { world, keys, wallet } = node;
    this.#channel = snapshot.channel;
    this.#monitor = node.readMonitor(snapshot.monitor);
    this.#feeEstimator = feeEstimator(world.fees);
    const coins = ldk.Wallet.constructor_new(walletSource(world.chain.rpc, wallet), this.#logger);
    this.#bumper = ldk.BumpTransactionEventHandler.constructor_new(
      this.#broadcaster,
      coins.as_CoinSelectionSource(),
      keys.as_SignerProvider(),
      this.#logger,
    );
  }

  /** The commitment of its state, signed by both. */
  commitment(): { readonly txid: string; readonly raw: string } {
    this.#monitor.broadcast_latest_holder_commitment_txn(
      this.#broadcaster,
      this.#feeEstimator,
      this.#logger,
    );
    this.#handleEvents();
    const found = [...this.#made].find(([, raw]) =>
      inputsOf(Transaction.fromHex(raw)).includes(this.#channel),
    );
    const [txid, raw] = must(found, "the commitment");
    return { txid, raw };
  }

  connect(block: RecordedBlock): void {
    const transactions = transactionsOf(block.raw).map((tx, pos) =>
      ldk.TwoTuple_usizeTransactionZ.constructor_new(pos, tx.toBuffer()),
    );
    this.#monitor.block_connected(
      fromHex(block.header),
      transactions,
      block.height,
      this.#broadcaster,
      this.#feeEstimator,
      this.#logger,
    );
    this.#handleEvents();
  }

  /** The newest transactions it would send that spend outputs of `txid`, one for each set of inputs. */
  spendsOf(txid: string): string[] {
    const newest = new Map<string, string>();
    for (const raw of this.#made.values()) {
      const inputs = inputsOf(Transaction.fromHex(raw)).filter((input) => input.startsWith(txid));
      if (inputs.length > 0) newest.set(inputs.sort().join(), raw);
    }
    return [...newest.values()];
  }

  #handleEvents(): void {
    const events: Event[] = [];
    this.#monitor.process_pending_events(
      eventHandler((event) => events.push(event)),
      this.#logger,
    );
    for (const event of events) {
      if (event instanceof ldk.Event_BumpTransaction) {
        const bump = event.bump_transaction;
        if (bump instanceof ldk.BumpTransactionEvent_ChannelClose)
          this.#take([toHex(bump.commitment_tx)]);
        else this.#bumper.handle_event(bump);
      }
    }
  }

  #take(raws: readonly string[]): void {
    for (const raw of raws) this.#made.set(Transaction.fromHex(raw).getId(), raw);
  }
}
