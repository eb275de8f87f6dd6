/** The LDK objects of a node, fresh or read from what an earlier life saved. */
import { fromHex, reversed } from "@farwatch/protocol/bytes";
import type {
  BumpTransactionEventHandler,
  ChannelManager,
  ChannelMonitor,
  FeeEstimator,
  KeysManager,
  Logger,
  PeerManager,
  Watch,
} from "lightningdevkit";
import type { SyncRpc } from "../../fixture-recorder/chain/sync-rpc.js";
import { ldk } from "../../fixture-recorder/ldk/module.js";
import { peerManager, routers, userConfig } from "../../fixture-recorder/ldk/parts.js";
import { isOf } from "../../fixture-recorder/ldk/result.js";
import {
  broadcaster,
  feeEstimator,
  logger,
  walletSource,
} from "../../fixture-recorder/ldk/traits.js";
import { broadcast } from "./broadcast.js";
import { PathRouter } from "./path-router.js";
import { FORWARD_CLTV_DELTA, type NodePlan } from "./protocol.js";

/** LDK refuses less. */
const TO_SELF_DELAY = 144;
/** Lines of LDK's log that explain a failure. */
const LOG_LINES = 400;

/** What does not depend on the monitors. */
export interface Base {
  readonly plan: NodePlan;
  readonly rpc: SyncRpc;
  readonly keys: KeysManager;
  readonly fees: FeeEstimator;
  readonly log: Logger;
  readonly logLines: string[];
}

export function buildBase(plan: NodePlan, rpc: SyncRpc): Base {
  const now = Date.now();
  const seconds = Math.floor(now / 1_000);
  // Each life needs another starting time: what LDK draws at random follows from it.
  const nanos = (now % 1_000) * 1_000_000 + (process.pid % 1_000_000);
  const logLines: string[] = [];
  return {
    plan,
    rpc,
    keys: ldk.KeysManager.constructor_new(fromHex(plan.seed), BigInt(seconds), nanos),
    fees: feeEstimator(() => plan.fees),
    log: logger((line) => {
      logLines.push(line);
      if (logLines.length > 2 * LOG_LINES) logLines.splice(0, LOG_LINES);
    }),
    logLines,
  };
}

export interface Objects {
  readonly manager: ChannelManager;
  readonly peers: PeerManager;
  readonly bumper: BumpTransactionEventHandler;
  readonly routes: PathRouter;
  /** Kept from the garbage collector. */
  readonly alive: readonly object[];
}

export const configOf = (anchors: boolean) =>
  userConfig({ anchors, toSelfDelay: TO_SELF_DELAY, cltvExpiryDelta: FORWARD_CLTV_DELTA });

/** The moment a fresh manager begins at. */
export interface Tip {
  readonly hash: string;
  readonly height: number;
  readonly time: number;
}

export type Origin =
  | { readonly kind: "fresh"; readonly tip: Tip }
  | {
      readonly kind: "saved";
      readonly bytes: Uint8Array;
      readonly monitors: readonly ChannelMonitor[];
    };

export function buildObjects(base: Base, watch: Watch, origin: Origin): Objects {
  const { keys, log, plan, rpc } = base;
  const routes = new PathRouter();
  const routing = routers(log, keys.as_EntropySource());
  const ours = broadcaster((raws) => send(base, raws));
  const parts: ManagerParts = {
    base,
    watch,
    broadcaster: ours,
    routes,
    messages: routing.messageRouter.as_MessageRouter(),
    config: configOf(true),
  };
  const manager = origin.kind === "fresh" ? fresh(parts, origin.tip) : read(parts, origin);
  const { peers, ignore } = peerManager(manager, keys, log, Math.floor(Date.now() / 1_000));
  const source = walletSource(rpc, plan.wallet);
  const wallet = ldk.Wallet.constructor_new(source, log);
  const forBumps = broadcaster((raws) => send(base, raws));
  const bumper = ldk.BumpTransactionEventHandler.constructor_new(
    forBumps,
    wallet.as_CoinSelectionSource(),
    keys.as_SignerProvider(),
    log,
  );
  const alive = [ours, watch, routing, ignore, source, wallet, forBumps, routes, parts, base];
  return { manager, peers, bumper, routes, alive };
}

/** Refusals are bitcoind's word on the moment, such as "already spent"; they are kept in LDK's log. */
function send({ rpc, logLines }: Base, raws: readonly string[]): void {
  for (const complaint of broadcast(rpc, raws)) logLines.push(`broadcast: ${complaint}`);
}

interface ManagerParts {
  readonly base: Base;
  readonly watch: Watch;
  readonly broadcaster: ReturnType<typeof broadcaster>;
  readonly routes: PathRouter;
  readonly messages: ReturnType<ReturnType<typeof routers>["messageRouter"]["as_MessageRouter"]>;
  readonly config: ReturnType<typeof userConfig>;
}

function fresh(parts: ManagerParts, tip: Tip): ChannelManager {
  const { base, watch, routes, messages, config } = parts;
  const { keys, fees, log } = base;
  const block = ldk.BestBlock.constructor_new(reversed(fromHex(tip.hash)), tip.height);
  return ldk.ChannelManager.constructor_new(
    fees,
    watch,
    parts.broadcaster,
    routes.router,
    messages,
    log,
    keys.as_EntropySource(),
    keys.as_NodeSigner(),
    keys.as_SignerProvider(),
    config,
    ldk.ChainParameters.constructor_new(ldk.Network.LDKNetwork_Regtest, block),
    tip.time,
  );
}

/** LDK's DecodeError has no text; why it refused is in its log. */
function read(parts: ManagerParts, saved: Extract<Origin, { kind: "saved" }>): ChannelManager {
  const { base, watch, routes, messages, config } = parts;
  const { keys, fees, log, logLines } = base;
  const result = ldk.UtilMethods.constructor_C2Tuple_ThirtyTwoBytesChannelManagerZ_read(
    saved.bytes,
    keys.as_EntropySource(),
    keys.as_NodeSigner(),
    keys.as_SignerProvider(),
    fees,
    watch,
    parts.broadcaster,
    routes.router,
    messages,
    log,
    config,
    [...saved.monitors],
  );
  const Ok = ldk.Result_C2Tuple_ThirtyTwoBytesChannelManagerZDecodeErrorZ_OK;
  if (isOf(Ok, result)) return result.res.get_b();
  throw new Error(`LDK does not read its ChannelManager:\n${logLines.slice(-20).join("\n")}`);
}
