/** Parts of an LDK node that are the same for a recorded one and for one in a process of its own. */
import type {
  ChannelManager,
  EntropySource,
  KeysManager,
  Logger,
  PeerManager,
  UserConfig,
} from "lightningdevkit";
import { ldk } from "./module.js";

/** Blocks until a channel counts as open. */
const MINIMUM_DEPTH = 3;
/** Percent of the channel that may be in flight: the scenarios' HTLCs are large on purpose. */
const MAX_IN_FLIGHT_PERCENT = 90;

/** A graph takes tens of megabytes of WASM memory: one for each node's life. */
export function routers(log: Logger, entropy: EntropySource) {
  const graph = ldk.NetworkGraph.constructor_new(ldk.Network.LDKNetwork_Regtest, log);
  const decay = ldk.ProbabilisticScoringDecayParameters.constructor_default();
  const scorer = ldk.ProbabilisticScorer.constructor_new(decay, graph, log);
  const scores = ldk.MultiThreadedLockableScore.constructor_new(scorer.as_Score());
  const lockable = scores.as_LockableScore();
  const scoring = ldk.ProbabilisticScoringFeeParameters.constructor_default();
  const router = ldk.DefaultRouter.constructor_new(graph, log, entropy, lockable, scoring);
  const messageRouter = ldk.DefaultMessageRouter.constructor_new(graph, entropy);
  return { router, messageRouter, graph, scorer, scores, lockable };
}

export interface ConfigPlan {
  readonly anchors: boolean;
  /** CSV delay of the peer's own outputs. */
  readonly toSelfDelay: number;
  readonly cltvExpiryDelta: number;
}

export function userConfig(plan: ConfigPlan): UserConfig {
  const config = ldk.UserConfig.constructor_default();
  const handshake = config.get_channel_handshake_config();
  handshake.set_negotiate_anchors_zero_fee_htlc_tx(plan.anchors);
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

/** Speaks BOLT 8 and hands channel messages to the manager; nothing of gossip or onion messages. */
export function peerManager(
  manager: ChannelManager,
  keys: KeysManager,
  log: Logger,
  nowSecs: number,
): { readonly peers: PeerManager; readonly ignore: object } {
  const ignore = ldk.IgnoringMessageHandler.constructor_new();
  const peers = ldk.PeerManager.constructor_new(
    manager.as_ChannelMessageHandler(),
    ignore.as_RoutingMessageHandler(),
    ignore.as_OnionMessageHandler(),
    ignore.as_CustomMessageHandler(),
    nowSecs,
    keys.as_EntropySource().get_secure_random_bytes(),
    log,
    keys.as_NodeSigner(),
  );
  return { peers, ignore };
}
