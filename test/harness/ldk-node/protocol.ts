/**
 * What a test and an LDK node in a process of its own say to each other: a configuration file at the start,
 * then calls and answers over the IPC channel of node:child_process (structured clone, so bigint passes).
 */
import type { FeeTable } from "../../fixture-recorder/fixture/document.js";
import type { JsonObject } from "../../fixture-recorder/ldk/json.js";
import type { Login } from "../../fixture-recorder/chain/sync-rpc.js";

/** Where the node's ChannelMonitors live. */
export type WatchPlan = { readonly kind: "local" } | RemotePlan;

/** A manager-service, and the files of the certificate by which it knows this node. */
export interface RemotePlan {
  readonly kind: "remote";
  /** "localhost:port". */
  readonly address: string;
  readonly caFile: string;
  readonly certFile: string;
  readonly keyFile: string;
  /** Hex, as in the manager's configuration. */
  readonly nodeKey: string;
}

/** Holds the seed: written for its owner only. */
export interface NodePlan {
  readonly name: string;
  /** Hex, 32 bytes. */
  readonly seed: string;
  /** Everything the node keeps over a restart is in here. */
  readonly folder: string;
  readonly listenPort: number;
  readonly bitcoind: Login;
  /** A wallet of that bitcoind: pays for channels and anchors, receives what the node sweeps. */
  readonly wallet: string;
  readonly fees: FeeTable;
  readonly watch: WatchPlan;
}

export interface Hop {
  readonly nodeId: string;
  readonly scid: bigint;
}

export interface ChannelView {
  readonly channelId: string;
  readonly nodeId: string;
  /** "txid:vout"; not known before the funding transaction is. */
  readonly funding: string | undefined;
  /** As given to `open`; 0 on the side that accepted. */
  readonly userId: bigint;
  readonly scid: bigint | undefined;
  readonly isOpener: boolean;
  readonly anchors: boolean;
  readonly usable: boolean;
  readonly valueSat: bigint;
  readonly outboundMsat: bigint;
  readonly inboundHtlcs: number;
  readonly outboundHtlcs: number;
}

export interface NodeState {
  readonly nodeId: string;
  readonly height: number;
  readonly blockHash: string;
  readonly channels: readonly ChannelView[];
  readonly peers: readonly string[];
  /** How many events the application has stored so far. */
  readonly events: number;
  /** Nothing waits for a save, a monitor or the network. */
  readonly isQuiet: boolean;
  /** Payments LDK still tries, by hash. */
  readonly pendingPayments: readonly string[];
  /** Last of these points since the process began; what `killAfter` counts. */
  readonly killPoints: number;
}

export interface Commitment {
  readonly txid: string;
  readonly raw: string;
  /** Id of the newest update in it. */
  readonly updateId: bigint;
}

interface Call<Ask, Answer> {
  readonly ask: Ask;
  readonly answer: Answer;
}
type Nothing = Record<string, never>;

/** Every command with what it takes and what it answers. */
export interface Calls {
  state: Call<Nothing, NodeState>;
  /** Answers when the node has handled bitcoind's newest block. */
  sync: Call<Nothing, { readonly height: number }>;
  connect: Call<{ readonly nodeId: string; readonly port: number }, null>;
  disconnect: Call<{ readonly nodeId: string }, null>;
  /** The node funds the channel from its wallet when the peer has accepted. */
  open: Call<OpenAsk, null>;
  invoice: Call<InvoiceAsk, { readonly invoice: string; readonly paymentHash: string }>;
  /** Sends along exactly this path; the last hop is the payee. Durable with the node's next save. */
  pay: Call<PayAsk, { readonly paymentHash: string }>;
  /** Claims a payment that was held. */
  claim: Call<{ readonly paymentHash: string }, null>;
  failBack: Call<{ readonly paymentHash: string }, null>;
  close: Call<CloseAsk, null>;
  /** Events the application has stored, from this one on. */
  events: Call<{ readonly since: number }, readonly JsonObject[]>;
  /** The holder commitment of an earlier state, signed: what a cheater broadcasts. */
  commitment: Call<
    { readonly channelId: string; readonly updateId: bigint | "latest" },
    Commitment
  >;
  /** The process kills itself with SIGKILL at the n-th kill point from now. */
  killAfter: Call<{ readonly points: number }, null>;
}

export interface OpenAsk {
  readonly nodeId: string;
  readonly valueSat: bigint;
  readonly pushMsat: bigint;
  readonly anchors: boolean;
  readonly userId: bigint;
}

export interface InvoiceAsk {
  readonly msat: bigint;
  /** Blocks; LDK adds 3. */
  readonly finalDelta: number;
  /** Left unclaimed until `claim` or `failBack`. */
  readonly hold: boolean;
}

export interface PayAsk {
  readonly invoice: string;
  readonly path: readonly Hop[];
  readonly msat: bigint;
  readonly finalDelta: number;
}

export interface CloseAsk {
  readonly channelId: string;
  readonly force: boolean;
}

export type CallName = keyof Calls;

export interface CallMessage {
  readonly id: number;
  readonly name: CallName;
  readonly ask: unknown;
}

export type NodeMessage =
  | { readonly type: "ready"; readonly nodeId: string }
  | { readonly type: "answer"; readonly id: number; readonly answer: unknown }
  | { readonly type: "failure"; readonly id: number; readonly message: string };

/** What B takes for a forward, and how much later its HTLC towards us expires (LDK's defaults here). */
export const FORWARD_FEE_MSAT = 1_000n;
export const FORWARD_CLTV_DELTA = 48;
