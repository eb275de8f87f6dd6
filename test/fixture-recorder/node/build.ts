/** Puts an LDK node together. Every object is kept referenced: LDK's side outlives the callbacks. */
import type {
  BroadcasterInterface,
  BumpTransactionEventHandler,
  ChainMonitor,
  ChannelManager,
  KeysManager,
  PeerManager,
} from "lightningdevkit";
import { fromHex, reversed } from "@farwatch/protocol/bytes";
import type { Tip } from "../chain/recorded-chain.js";
import type { BroadcastSource } from "../fixture/document.js";
import { ldk } from "../ldk/module.js";
import { peerManager, routers, userConfig } from "../ldk/parts.js";
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
  const routing = routers(log, entropy);
  const config = userConfig({
    anchors: world.channelType === "anchors_zero_fee_htlc_tx",
    toSelfDelay: plan.toSelfDelay,
    cltvExpiryDelta: plan.cltvExpiryDelta,
  });
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
  const { peers, ignore } = peerManager(manager, keys, log, Number(plan.startSecs));
  const source = walletSource(world.chain.rpc, node.wallet);
  const wallet = ldk.Wallet.constructor_new(source, log);
  const bumper = ldk.BumpTransactionEventHandler.constructor_new(
    broadcastAs("bump"),
    wallet.as_CoinSelectionSource(),
    signers,
    log,
  );
  const alive = [fees, log, entropy, signers, nodeSigner, persist, watch, ignore, source];
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
