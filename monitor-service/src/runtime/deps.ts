/** What the shell needs from outside: ports, keys, time, chance, and where its troubles go. */
import type { FeeratePerKw } from "@farwatch/protocol/amount";
import type { Curve } from "@farwatch/protocol/curve/curve";
import type { ChainSource } from "../chain/chain-source.js";
import type { FeeWallet } from "../chain/fee-wallet.js";
import type { SweepDestination } from "../chain/sweep-destination.js";
import type { ChainName } from "../chain/proof-of-work.js";
import type { HolderFloors } from "../signer/holder-floors.js";
import type { ChannelSigner } from "../signer/signer.js";
import type { MonitorStore } from "../store/store.js";
import type { HostInfo } from "./monitor-host.js";

export interface HostLog {
  info(fields: Readonly<Record<string, unknown>>, message: string): void;
  warn(fields: Readonly<Record<string, unknown>>, message: string): void;
  error(fields: Readonly<Record<string, unknown>>, message: string): void;
}

/** Called at named points of the commit path; only test entry points install one. */
export type Failpoint = (name: FailpointName) => void | Promise<void>;
export type FailpointName = "afterDecide" | "afterCommit" | "afterEvents" | "beforeReply";

export interface SweepConfig {
  readonly destination: SweepDestination;
  /** Blocks an output waits for company, at least 1. */
  readonly everyBlocks: number;
}

export interface HostDeps {
  readonly curve: Curve;
  readonly store: MonitorStore;
  readonly signer: ChannelSigner;
  /** What the signer goes by; raised after each commit, before anyone hears of it. */
  readonly floors: HolderFloors;
  readonly source: Pick<
    ChainSource,
    | "tip"
    | "header"
    | "hashAtHeight"
    | "block"
    | "broadcast"
    | "broadcastPackage"
    | "feerates"
    | "mempoolSpender"
    | "mempoolTx"
    | "confirmedOutput"
  >;
  /** Of claims whose fee is ours to choose; undefined: the claim engine's default. */
  readonly maxFeerate?: FeeratePerKw;
  /**
   * Pays for our commitment and its second stages on anchor channels; without one the commitment goes out
   * with the fee it has, and the second stages do not.
   */
  readonly feeWallet?: FeeWallet;
  /** Managers' wallets are asked to pay instead, over the event stream; then there is no feeWallet. */
  readonly asksManagers?: boolean;
  /** Our own outputs are swept there; undefined: they are left to the node. */
  readonly sweep?: SweepConfig;
  readonly chain: ChainName;
  /** Genesis block hash, internal byte order, hex. */
  readonly chainHash: string;
  /** 32 bytes: signs receipts and events. */
  readonly monitorSecret: Uint8Array;
  readonly log: HostLog;
  nowMs(): number;
  randomBytes(length: number): Uint8Array;
  /** Of the chain follower that drives the sink. */
  chainState(): HostInfo["chainState"];
  /** The disk refused or memory and disk differ: the process must end. Called once. */
  onFatal(error: Error): void;
  readonly failpoint?: Failpoint;
}
