/**
 * An LDK node that can die: what survives is what it wrote. Its ChannelManager talks to whatever Watch it is
 * given; without one it has a ChainMonitor of its own.
 */
import { must } from "@farwatch/protocol/assert";
import { toHex } from "@farwatch/protocol/bytes";
import type {
  BumpTransactionEventHandler,
  ChainMonitor,
  ChannelManager,
  ChannelMonitor,
  Event,
  KeysManager,
  Logger,
  OutPoint,
  PeerManager,
  Router,
  Watch,
} from "lightningdevkit";
import { ldk } from "../../fixture-recorder/ldk/module.js";
import { isOf, mustBeOk } from "../../fixture-recorder/ldk/result.js";
import {
  broadcaster,
  eventHandler,
  feeEstimator,
  logger,
} from "../../fixture-recorder/ldk/traits.js";
import type { PaperBlock, PaperChain } from "./paper-chain.js";
import { routing } from "./routing.js";

export interface NodeOptions {
  readonly name: string;
  readonly seed: Uint8Array;
  readonly chain: PaperChain;
  readonly anchors: boolean;
  /** Of LDK's log; the reason of a failed read is only there. */
  readonly log?: (line: string) => void;
  /** Instead of the one that all nodes of the process share. */
  readonly router?: Router;
}

export const FEES = {
  MaximumFeeEstimate: 15_000,
  UrgentOnChainSweep: 2_500,
  MinAllowedAnchorChannelRemoteFee: 253,
  MinAllowedNonAnchorChannelRemoteFee: 253,
  AnchorChannelFee: 500,
  NonAnchorChannelFee: 2_000,
  ChannelCloseMinimum: 1_000,
  OutputSpendingFee: 1_500,
};
const START_SECS = 1_700_000_000n;
const MINIMUM_DEPTH = 3;
const TO_SELF_DELAY = 144;
const CLTV_EXPIRY_DELTA = 48;

/** Keys and traits: the same in every life of a node. */
export class NodeIdentity {
  readonly keys: KeysManager;
  readonly logger: Logger;
  readonly fees = feeEstimator(() => FEES);
  readonly broadcast: ReturnType<typeof broadcaster>;

  constructor(readonly options: NodeOptions) {
    this.keys = ldk.KeysManager.constructor_new(options.seed, START_SECS, 1);
    this.logger = logger((line) => options.log?.(line));
    this.broadcast = broadcaster((raws) => {
      for (const raw of raws) options.chain.broadcast(Uint8Array.from(Buffer.from(raw, "hex")));
    });
  }

  get id(): Uint8Array {
    const Recipient = ldk.Recipient.LDKRecipient_Node;
    const answer = this.keys.as_NodeSigner().get_node_id(Recipient);
    if (answer instanceof ldk.Result_PublicKeyNoneZ_OK) return answer.res;
    throw new Error("LDK has no node id");
  }

  get readers() {
    return {
      entropySource: this.keys.as_EntropySource(),
      signerProvider: this.keys.as_SignerProvider(),
      feeEstimator: this.fees,
      logger: this.logger,
    };
  }
}

export interface Saved {
  readonly manager: Uint8Array;
  readonly monitors: ChannelMonitor[];
}

export class InProcessNode {
  readonly manager: ChannelManager;
  readonly peers: PeerManager;
  readonly chainMonitor: ChainMonitor | undefined;
  readonly id: Uint8Array;
  readonly events: Event[] = [];
  /** Claim what arrives. */
  autoClaim = true;
  /** Pays for its anchor channels; without one they wait. */
  bumper: BumpTransactionEventHandler | undefined;
  readonly preimages = new Map<string, Uint8Array>();
  /** ChannelMonitors of its own ChainMonitor, as it last persisted them. */
  readonly persisted = new Map<string, Uint8Array>();
  readonly #news: Event[] = [];
  readonly #alive: object[] = [];

  constructor(
    readonly identity: NodeIdentity,
    watch?: Watch,
    saved?: Saved,
  ) {
    const local = watch === undefined ? this.#localMonitor() : undefined;
    this.chainMonitor = local;
    const used = watch ?? must(local, "a chain monitor").as_Watch();
    this.#alive.push(used);
    this.manager = saved === undefined ? this.#create(used) : this.#read(used, saved);
    this.id = this.manager.get_our_node_id();
    const ignore = ldk.IgnoringMessageHandler.constructor_new();
    this.peers = ldk.PeerManager.constructor_new(
      this.manager.as_ChannelMessageHandler(),
      ignore.as_RoutingMessageHandler(),
      ignore.as_OnionMessageHandler(),
      ignore.as_CustomMessageHandler(),
      Number(START_SECS),
      identity.keys.as_EntropySource().get_secure_random_bytes(),
      identity.logger,
      identity.keys.as_NodeSigner(),
    );
    this.#alive.push(ignore);
  }

  connectBlock(block: PaperBlock): void {
    this.chainMonitor?.as_Listen().block_connected(block.raw, block.height);
    this.manager.as_Listen().block_connected(block.raw, block.height);
  }

  /** After a restart. */
  catchUp(): void {
    const from = this.manager.current_best_block().get_height();
    for (const block of this.identity.options.chain.blocks.slice(from)) this.connectBlock(block);
  }

  /** True when there was anything. */
  processEvents(): boolean {
    const take = eventHandler((event) => this.take(event));
    this.manager.as_EventsProvider().process_pending_events(take);
    this.chainMonitor?.as_EventsProvider().process_pending_events(take);
    return this.reactToNews();
  }

  /** For an event handler: nothing is done in it, because LDK must not be called from a callback. */
  take(event: Event): void {
    this.#news.push(event);
  }

  reactToNews(): boolean {
    const news = this.#news.splice(0);
    for (const event of news) this.#react(event);
    return news.length > 0;
  }

  has(kind: Parameters<typeof isOf>[0], hash?: string): boolean {
    return this.count(kind, hash) > 0;
  }

  count(kind: Parameters<typeof isOf>[0], hash?: string): number {
    return this.events.filter(
      (event) =>
        isOf(kind, event) && (hash === undefined || toHex(bytesAt(event, "payment_hash")) === hash),
    ).length;
  }

  claim(hash: string): void {
    this.manager.claim_funds(must(this.preimages.get(hash), "a preimage"));
  }

  #react(event: Event): void {
    this.events.push(event);
    if (event instanceof ldk.Event_OpenChannelRequest) {
      const { temporary_channel_id: id, counterparty_node_id: peer } = event;
      mustBeOk(this.manager.accept_inbound_channel(id, peer, 7n), "accept_inbound_channel");
    } else if (event instanceof ldk.Event_PendingHTLCsForwardable) {
      this.manager.process_pending_htlc_forwards();
    } else if (event instanceof ldk.Event_BumpTransaction) {
      this.bumper?.handle_event(event.bump_transaction);
    } else if (event instanceof ldk.Event_PaymentClaimable) {
      const known = event.purpose.preimage();
      if (!(known instanceof ldk.Option_ThirtyTwoBytesZ_Some)) return;
      this.preimages.set(toHex(event.payment_hash), known.some);
      if (this.autoClaim) this.manager.claim_funds(known.some);
    }
  }

  #localMonitor(): ChainMonitor {
    const done = ldk.ChannelMonitorUpdateStatus.LDKChannelMonitorUpdateStatus_Completed;
    const keep = (funding: OutPoint, monitor: ChannelMonitor) => {
      this.persisted.set(toHex(funding.write()), monitor.write());
      return done;
    };
    const persist = ldk.Persist.new_impl({
      persist_new_channel: keep,
      update_persisted_channel: (funding, _update, monitor) => keep(funding, monitor),
      archive_persisted_channel: () => undefined,
    });
    this.#alive.push(persist);
    return ldk.ChainMonitor.constructor_new(
      ldk.Option_FilterZ.constructor_none(),
      this.identity.broadcast,
      this.identity.logger,
      this.identity.fees,
      persist,
    );
  }

  #create(watch: Watch): ChannelManager {
    const { identity } = this;
    const { chain, anchors } = identity.options;
    const shared = routing(identity.logger, identity.keys);
    const block = ldk.BestBlock.constructor_new(chain.tipHash, chain.height);
    return ldk.ChannelManager.constructor_new(
      identity.fees,
      watch,
      identity.broadcast,
      identity.options.router ?? shared.router,
      shared.messageRouter,
      identity.logger,
      identity.keys.as_EntropySource(),
      identity.keys.as_NodeSigner(),
      identity.keys.as_SignerProvider(),
      config(anchors),
      ldk.ChainParameters.constructor_new(ldk.Network.LDKNetwork_Regtest, block),
      Number(START_SECS),
    );
  }

  #read(watch: Watch, { manager, monitors }: Saved): ChannelManager {
    const { identity } = this;
    const shared = routing(identity.logger, identity.keys);
    const read = ldk.UtilMethods.constructor_C2Tuple_ThirtyTwoBytesChannelManagerZ_read(
      manager,
      identity.keys.as_EntropySource(),
      identity.keys.as_NodeSigner(),
      identity.keys.as_SignerProvider(),
      identity.fees,
      watch,
      identity.broadcast,
      identity.options.router ?? shared.router,
      shared.messageRouter,
      identity.logger,
      config(identity.options.anchors),
      monitors,
    );
    const Ok = ldk.Result_C2Tuple_ThirtyTwoBytesChannelManagerZDecodeErrorZ_OK;
    if (!isOf(Ok, read)) throw new Error("LDK does not read its ChannelManager");
    return read.res.get_b();
  }
}

function bytesAt(event: object, field: string): Uint8Array {
  const given: unknown = Reflect.get(event, field);
  const value = given instanceof ldk.Option_ThirtyTwoBytesZ_Some ? given.some : given;
  return value instanceof Uint8Array ? value : new Uint8Array(0);
}

function config(anchors: boolean) {
  const made = ldk.UserConfig.constructor_default();
  const handshake = made.get_channel_handshake_config();
  handshake.set_negotiate_anchors_zero_fee_htlc_tx(anchors);
  handshake.set_minimum_depth(MINIMUM_DEPTH);
  handshake.set_announce_for_forwarding(false);
  handshake.set_our_to_self_delay(TO_SELF_DELAY);
  handshake.set_max_inbound_htlc_value_in_flight_percent_of_channel(90);
  made.set_channel_handshake_config(handshake);
  made.set_manually_accept_inbound_channels(true);
  made.set_accept_forwards_to_priv_channels(true);
  const channel = made.get_channel_config();
  channel.set_cltv_expiry_delta(CLTV_EXPIRY_DELTA);
  made.set_channel_config(channel);
  return made;
}
