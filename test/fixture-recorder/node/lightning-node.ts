/**
 * One LDK node: keys, ChainMonitor, ChannelManager, PeerManager and a bitcoind wallet for anchor fees,
 * with everything its monitor does written to a timeline. It acts on its own events like a plain wallet
 * would; what a scenario wants otherwise is switched off by the flags below.
 */
import { must } from "@farwatch/protocol/assert";
import { fromHex, toHex } from "@farwatch/protocol/bytes";
import type {
  BumpTransactionEventHandler,
  ChainMonitor,
  ChannelManager,
  ChannelMonitor,
  Event,
  KeysManager,
  PeerManager,
} from "lightningdevkit";
import { Transaction } from "bitcoinjs-lib";
import type { BroadcastSource, BroadcastTx, RecordedBlock } from "../fixture/document.js";
import { describeBalance, describeEvent } from "../ldk/describe.js";
import type { JsonObject } from "../ldk/json.js";
import { ldk } from "../ldk/module.js";
import { readMonitor } from "../ldk/monitor.js";
import { mustBeOk } from "../ldk/result.js";
import { broadcaster, eventHandler } from "../ldk/traits.js";
import { buildNode, type NodeSetup } from "./build.js";
import type { NodePlan, World } from "./plan.js";
import { Timeline } from "./timeline.js";
import { MonitorRecorder } from "./watch.js";

export class LightningNode {
  readonly timeline: Timeline;
  readonly recorder: MonitorRecorder;
  readonly keys: KeysManager;
  readonly chainMonitor: ChainMonitor;
  readonly manager: ChannelManager;
  readonly peers: PeerManager;
  readonly id: Uint8Array;
  readonly wallet: string;
  /** Everything either side reported, oldest first. */
  readonly events: Event[] = [];
  readonly stats = { block_ms: 0, blocks: 0 };
  /** Claim payments whose preimage is known, as soon as they arrive. */
  autoClaim = true;
  /** Broadcasts wait in `held` instead of going to bitcoind. */
  holding = false;
  readonly held: string[] = [];
  readonly #preimages = new Map<string, Uint8Array>();
  readonly #bumper: BumpTransactionEventHandler;
  readonly #setup: NodeSetup;
  #lastBalances = "";

  constructor(
    readonly plan: NodePlan,
    readonly world: World,
  ) {
    this.timeline = new Timeline(world.sequence);
    this.recorder = new MonitorRecorder(this.timeline);
    this.wallet = `wallet-${plan.name}`;
    world.chain.createWallet(this.wallet);
    const tip = world.chain.tip();
    this.#setup = buildNode(this, tip, (source) =>
      broadcaster((txs) => this.broadcast(source, txs)),
    );
    this.keys = this.#setup.keys;
    this.chainMonitor = this.#setup.chainMonitor;
    this.manager = this.#setup.manager;
    this.peers = this.#setup.peers;
    this.#bumper = this.#setup.bumper;
    this.id = this.manager.get_our_node_id();
    this.timeline.add({ type: "start", best_block: { ...tip }, node_id: toHex(this.id) });
  }

  get name(): string {
    return this.plan.name;
  }

  connectBlock(block: RecordedBlock): void {
    this.timeline.add({ type: "block_connected", height: block.height, hash: block.hash });
    const started = performance.now();
    const raw = fromHex(block.raw);
    this.chainMonitor.as_Listen().block_connected(raw, block.height);
    this.manager.as_Listen().block_connected(raw, block.height);
    this.stats.block_ms += performance.now() - started;
    this.stats.blocks++;
  }

  disconnectBlock(block: RecordedBlock): void {
    this.timeline.add({ type: "block_disconnected", height: block.height, hash: block.hash });
    const header = fromHex(block.header);
    this.manager.as_Listen().block_disconnected(header, block.height);
    this.chainMonitor.as_Listen().block_disconnected(header, block.height);
  }

  /** Takes what manager and monitor have to tell and acts on it; true when there was anything. */
  processEvents(): boolean {
    const news: { source: "manager" | "monitor"; event: Event }[] = [];
    const take = (source: "manager" | "monitor") =>
      eventHandler((event) => news.push({ source, event }));
    this.manager.as_EventsProvider().process_pending_events(take("manager"));
    this.chainMonitor.as_EventsProvider().process_pending_events(take("monitor"));
    for (const { source, event } of news) {
      this.timeline.add({ type: "event", source, event: describeEvent(event) });
      this.events.push(event);
      this.#react(event);
    }
    return news.length > 0;
  }

  /** What the monitors of all channels say is ours; recorded when it changed, or as the last word. */
  balances(after?: "final"): readonly JsonObject[] {
    const balances = this.chainMonitor.get_claimable_balances([]).map(describeBalance);
    const text = JSON.stringify(balances);
    if (after === "final") this.timeline.add({ type: "balances", after, balances });
    else if (text !== this.#lastBalances) this.timeline.add({ type: "balances", balances });
    this.#lastBalances = text;
    return balances;
  }

  /** Claims a payment that was left waiting. */
  claim(paymentHash: string): void {
    this.timeline.note(`claim_funds ${paymentHash}`);
    this.manager.claim_funds(must(this.#preimages.get(paymentHash), `preimage of ${paymentHash}`));
  }

  failBack(paymentHash: string): void {
    this.manager.fail_htlc_backwards(fromHex(paymentHash));
  }

  forceClose(): void {
    this.timeline.note("force_close_broadcasting_latest_txn");
    const [channel] = this.manager.list_channels();
    const { peer, id } = peerOf(must(channel, "a channel to close"));
    mustBeOk(this.manager.force_close_broadcasting_latest_txn(id, peer, "scenario"), "force close");
  }

  cooperativeClose(): void {
    this.timeline.note("close_channel");
    const [channel] = this.manager.list_channels();
    const { peer, id } = peerOf(must(channel, "a channel to close"));
    mustBeOk(this.manager.close_channel(id, peer), "close_channel");
  }

  /** Monitor bytes under this node's keys. */
  readMonitor(bytes: Uint8Array): ChannelMonitor {
    return readMonitor(this.keys, bytes);
  }

  /** What a scenario withheld is offered to the chain, in order. */
  release(): void {
    this.holding = false;
    const raws = new Map(this.held.map((raw) => [Transaction.fromHex(raw).getId(), raw]));
    this.held.length = 0;
    for (const raw of raws.values()) this.broadcast("released", [raw]);
  }

  broadcast(source: BroadcastSource, raws: readonly string[]): void {
    const txs = raws.map((raw): BroadcastTx => {
      const txid = Transaction.fromHex(raw).getId();
      if (!this.holding) return { txid, raw, ...this.world.chain.send(raw) };
      this.held.push(raw);
      return { txid, raw, held: true };
    });
    this.timeline.add({ type: "broadcast", source, txs });
  }

  /** The only effects are LDK calls; a scenario sees the events in `events`. */
  #react(event: Event): void {
    if (event instanceof ldk.Event_OpenChannelRequest) {
      const { temporary_channel_id, counterparty_node_id } = event;
      const accepted = this.manager.accept_inbound_channel(
        temporary_channel_id,
        counterparty_node_id,
        7n,
      );
      mustBeOk(accepted, "accept_inbound_channel");
    } else if (event instanceof ldk.Event_PendingHTLCsForwardable) {
      this.manager.process_pending_htlc_forwards();
    } else if (event instanceof ldk.Event_PaymentClaimable) {
      const preimage = event.purpose.preimage();
      if (!(preimage instanceof ldk.Option_ThirtyTwoBytesZ_Some)) return;
      this.#preimages.set(toHex(event.payment_hash), preimage.some);
      if (this.autoClaim) this.manager.claim_funds(preimage.some);
    } else if (event instanceof ldk.Event_BumpTransaction) {
      this.#bumper.handle_event(event.bump_transaction);
    }
  }
}

const peerOf = (channel: ReturnType<ChannelManager["list_channels"]>[number]) => ({
  id: channel.get_channel_id(),
  peer: channel.get_counterparty().get_node_id(),
});
