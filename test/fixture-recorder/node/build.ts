/** Puts an LDK node together. Every object is kept referenced: LDK's side outlives the callbacks. */
import type {
  BroadcasterInterface,
  BumpTransactionEventHandler,
  ChainMonitor,
  ChannelManager,
  KeysManager,
  PeerManager,
  UserConfig,
} from "lightningdevkit";
import { fromHex, reversed } from "@farwatch/protocol/bytes";
import type { Tip } from "../chain/recorded-chain.js";
import type { BroadcastSource } from "../fixture/document.js";
import { ldk } from "../ldk/module.js";
import { feeEstimator, logger, walletSource } from "../ldk/traits.js";
import type { NodePlan, World } from "./plan.js";
import type { MonitorRecorder } from "./watch.js";

export interface NodeSetup {
  readonly keys: KeysManager;
  readonly chainMonitor: ChainMonitor;
  readonly manager: ChannelManager;
  readonly peers: PeerManager;
  readonly bumper: BumpTransactionEventHandler;
  /** Not used again, only kept from the garbage collector. */
  readonly alive: readonly object[];
}

export interface Unbuilt {
  readonly plan: NodePlan;
  readonly world: World;
  readonly wallet: string;
  readonly recorder: MonitorRecorder;
}

type Broadcasters = (source: BroadcastSource) => BroadcasterInterface;

/** Blocks until a channel counts as open. */
const MINIMUM_DEPTH = 3;
/** Percent of the channel that may be in flight: the scenarios' HTLCs are large on purpose. */
const MAX_IN_FLIGHT_PERCENT = 90;

export function buildNode(node: Unbuilt, tip: Tip, broadcastAs: Broadcasters): NodeSetup {
  const { plan, world, recorder } = node;
  const fees = feeEstimator(world.fees);
  const log = logger((line) => world.log(`${plan.name} ${line}`));
  const keys = ldk.KeysManager.constructor_new(plan.seed, plan.startSecs, plan.startNanos);
  const entropy = keys.as_EntropySource();
  const signers = keys.as_SignerProvider();
  const nodeSigner = keys.as_NodeSigner();
  const persist = recorder.persist();
  const monitorBroadcaster = broadcastAs("monitor");
  const chainMonitor = ldk.ChainMonitor.constructor_new(
    ldk.Option_FilterZ.constructor_none(),
    monitorBroadcaster,
    log,
    fees,
    persist,
  );
  const watch = recorder.watch(chainMonitor.as_Watch());
  const graph = ldk.NetworkGraph.constructor_new(ldk.Network.LDKNetwork_Regtest, log);
  const routing = routers(graph, log, entropy);
  const config = userConfig(plan, world);
  const block = ldk.BestBlock.constructor_new(reversed(fromHex(tip.hash)), tip.height);
  const params = ldk.ChainParameters.constructor_new(ldk.Network.LDKNetwork_Regtest, block);
  const managerBroadcaster = broadcastAs("manager");
  const manager = ldk.ChannelManager.constructor_new(
    fees,
    watch,
    managerBroadcaster,
    routing.router.as_Router(),
    routing.messageRouter.as_MessageRouter(),
    log,
    entropy,
    nodeSigner,
    signers,
    config,
    params,
    world.chain.timeOf(tip.hash),
  );
  const ignore = ldk.IgnoringMessageHandler.constructor_new();
  const peers = ldk.PeerManager.constructor_new(
    manager.as_ChannelMessageHandler(),
    ignore.as_RoutingMessageHandler(),
    ignore.as_OnionMessageHandler(),
    ignore.as_CustomMessageHandler(),
    Number(plan.startSecs),
    entropy.get_secure_random_bytes(),
    log,
    nodeSigner,
  );
  const source = walletSource(world.chain.rpc, node.wallet);
  const wallet = ldk.Wallet.constructor_new(source, log);
  const bumper = ldk.BumpTransactionEventHandler.constructor_new(
    broadcastAs("bump"),
    wallet.as_CoinSelectionSource(),
    signers,
    log,
  );
  const alive = [fees, log, entropy, signers, nodeSigner, persist, watch, graph, ignore, source];
  const more = [wallet, params, config, managerBroadcaster, monitorBroadcaster];
  return {
    keys,
    chainMonitor,
    manager,
    peers,
    bumper,
    alive: [...alive, ...more, ...Object.values(routing)],
  };
}

type Graph = ReturnType<typeof ldk.NetworkGraph.constructor_new>;

function routers(
  graph: Graph,
  log: ReturnType<typeof logger>,
  entropy: ReturnType<KeysManager["as_EntropySource"]>,
) {
  const decay = ldk.ProbabilisticScoringDecayParameters.constructor_default();
  const scorer = ldk.ProbabilisticScorer.constructor_new(decay, graph, log);
  const scores = ldk.MultiThreadedLockableScore.constructor_new(scorer.as_Score());
  const lockable = scores.as_LockableScore();
  const scoring = ldk.ProbabilisticScoringFeeParameters.constructor_default();
  const router = ldk.DefaultRouter.constructor_new(graph, log, entropy, lockable, scoring);
  const messageRouter = ldk.DefaultMessageRouter.constructor_new(graph, entropy);
  return { router, messageRouter, scorer, scores, lockable };
}

function userConfig(plan: NodePlan, world: World): UserConfig {
  const config = ldk.UserConfig.constructor_default();
  const handshake = config.get_channel_handshake_config();
  const anchors = world.channelType === "anchors_zero_fee_htlc_tx";
  handshake.set_negotiate_anchors_zero_fee_htlc_tx(anchors);
  handshake.set_minimum_depth(MINIMUM_DEPTH);
  handshake.set_announce_for_forwarding(false);
  handshake.set_our_to_self_delay(plan.toSelfDelay);
  handshake.set_max_inbound_htlc_value_in_flight_percent_of_channel(MAX_IN_FLIGHT_PERCENT);
  config.set_channel_handshake_config(handshake);
  config.set_manually_accept_inbound_channels(true);
  config.set_accept_forwards_to_priv_channels(true);
  const channel = config.get_channel_config();
  channel.set_cltv_expiry_delta(plan.cltvExpiryDelta);
  config.set_channel_config(channel);
  return config;
}
