/**
 * Two LDK nodes in one process, the bytes between them handed over in memory, with channels that one of them
 * pays the other through. Blocks are made of paper: no figure has chain work in it.
 */
import { assert, must } from "@farwatch/protocol/assert";
import { toHex } from "@farwatch/protocol/bytes";
import { ldk } from "../../fixture-recorder/ldk/module.js";
import { mustBeOk, okOf } from "../../fixture-recorder/ldk/result.js";
import { InProcessNode, NodeIdentity } from "../../harness/in-process-ldk/node.js";
import { Pair } from "../../harness/in-process-ldk/pair.js";
import { PaperChain } from "../../harness/in-process-ldk/paper-chain.js";
import { PathRouter } from "../../harness/ldk-node/path-router.js";
import type { NodeWatch } from "../../harness/ldk-node/node-watch.js";
import { FileWatch } from "./file-watch.js";
import { Payer } from "./payer.js";
import type { Listener } from "./timed-watch.js";
import { Work } from "./work.js";

const CHANNEL_SAT = 10_000_000n;
/** Above the dust limit: every HTLC has its output and its signature. */
const PAYMENT_MSAT = 2_000_000n;
const FUNDING_DEPTH = 6;
const FINAL_DELTA = 24;
const INVOICE_EXPIRY_SECS = 7_200;
/** Ms without anything that happens: something is broken. */
const STUCK_MS = 30_000;

export interface MarketOptions {
  /** The payer's; its monitors derive their keys from it. */
  readonly seed: Uint8Array;
  readonly channels: number;
  /** `work.ready()` is to be called when LDK should look again. */
  readonly watch: (identity: NodeIdentity, work: Work) => NodeWatch;
  readonly folder: string | undefined;
  readonly listener?: Listener;
}

export class Market {
  /** Short ids of the channels, as the router names them. */
  #channels: readonly bigint[] = [];
  #seen = 0;
  #sent = 0;

  private constructor(
    readonly payer: Payer,
    private readonly pair: Pair,
    private readonly router: PathRouter,
    private readonly work: Work,
    private readonly payees: NodeWatch,
  ) {}

  static async open(options: MarketOptions): Promise<Market> {
    const chain = new PaperChain();
    const router = new PathRouter();
    const common = { chain, anchors: true };
    const { seed, folder, listener = {} } = options;
    const own = new NodeIdentity({ ...common, name: "payer", seed, router: router.router });
    const other = new NodeIdentity({ ...common, name: "payee", seed: seed.map((byte) => ~byte) });
    const work = new Work();
    const watch = options.watch(own, work);
    const payer = await Payer.start({ identity: own, watch, folder, listener });
    const payees = new FileWatch(other, undefined);
    const pair = new Pair(chain, payer.node, new InProcessNode(other, payees.watch));
    for (const one of [watch, payees]) {
      pair.followers.push(({ raw, height }) => one.connectBlock(raw, height));
    }
    pair.connect();
    const market = new Market(payer, pair, router, work, payees);
    await market.#openChannels(options.channels);
    return market;
  }

  /** Payments that came to their end since the last call. */
  settled(): number {
    const { events } = this.payer.node;
    const news = events.slice(this.#seen);
    this.#seen = events.length;
    const failed = news.some((event) => event instanceof ldk.Event_PaymentFailed);
    assert(!failed, "no payment fails");
    return news.filter((event) => event instanceof ldk.Event_PaymentSent).length;
  }

  /** Over the channels in turn, or all over the first. */
  pay(over: "first" | "all"): void {
    const { node } = this.payer;
    const payee = this.pair.b;
    const made = payee.manager.create_inbound_payment(
      ldk.Option_u64Z.constructor_some(PAYMENT_MSAT),
      INVOICE_EXPIRY_SECS,
      ldk.Option_u16Z.constructor_none(),
    );
    const Ok = ldk.Result_C2Tuple_ThirtyTwoBytesThirtyTwoBytesZNoneZ_OK;
    const asked = okOf(made, Ok, "create_inbound_payment").res;
    const hash = asked.get_a();
    const turn = over === "first" ? 0 : this.#sent++ % this.#channels.length;
    const scid = must(this.#channels[turn], "a channel");
    this.router.take(toHex(hash), {
      path: [{ nodeId: toHex(payee.id), scid }],
      msat: PAYMENT_MSAT,
      finalDelta: FINAL_DELTA,
    });
    const to = ldk.PaymentParameters.constructor_from_node_id(payee.id, FINAL_DELTA);
    const route = ldk.RouteParameters.constructor_from_payment_params_and_value(to, PAYMENT_MSAT);
    const onion = ldk.RecipientOnionFields.constructor_secret_only(asked.get_b());
    const never = ldk.Retry.constructor_attempts(0);
    mustBeOk(node.manager.send_payment(hash, onion, hash, route, never), "send_payment");
  }

  /** One turn of the event loop. Waits when nothing moved. */
  async turn(): Promise<boolean> {
    const moved = this.pair.step();
    const isSaved = this.payer.keep();
    if (moved || isSaved) {
      await new Promise((resolve) => setImmediate(resolve));
      return true;
    }
    const due = this.payer.saveDueMs;
    if (due === undefined && this.payer.isQuiet) return false;
    const isReady = await this.work.wait(due ?? STUCK_MS);
    assert(isReady || due !== undefined, "the node waits for ever");
    return true;
  }

  /** Until nothing is left to do. */
  async settle(): Promise<void> {
    while (await this.turn());
  }

  /** What LDK forgets of payments that are over, with time: a ChannelManager must not grow with the run. */
  forget(): void {
    const FORGETS_AFTER_TICKS = 8;
    for (let tick = 0; tick < FORGETS_AFTER_TICKS; tick++) {
      this.payer.node.manager.timer_tick_occurred();
    }
  }

  async #openChannels(count: number): Promise<void> {
    const { node } = this.payer;
    const { chain, b: payee } = this.pair;
    for (let nth = 0; nth < count; nth++) {
      this.pair.startChannel(node, CHANNEL_SAT, 0n);
      await this.settle();
      // Not to the payer: its first ChannelMonitors must know no block that bitcoind does not have. LDK as the
      // payee takes no more than four channels that are not in the chain.
      const block = chain.mine();
      this.payees.connectBlock(block.raw, block.height);
      payee.connectBlock(block);
    }
    for (const { raw, height } of chain.blocks) this.payer.connectBlock(raw, height);
    await this.settle();
    for (let block = 0; block < FUNDING_DEPTH; block++) {
      this.pair.mine();
      await this.settle();
    }
    const usable = node.manager.list_usable_channels();
    assert(usable.length === count, `${usable.length} of ${count} channels are usable`);
    this.#channels = usable.map((channel) => {
      const scid = channel.get_outbound_payment_scid();
      assert(scid instanceof ldk.Option_u64Z_Some, "a channel with a short id");
      return scid.some;
    });
  }
}
