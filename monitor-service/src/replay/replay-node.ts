/**
 * Runs one node's timeline through the core: its channels' first monitors and updates, the blocks in the
 * order it saw them, the fees it was told. After every input, what the core has outstanding is signed
 * and noted, as the publisher of a running monitor would send it.
 */
import { feeratePerKw } from "@farwatch/protocol/amount";
import { assertNever } from "@farwatch/protocol/assert";
import { fromHex } from "@farwatch/protocol/bytes";
import type { Curve } from "@farwatch/protocol/curve/curve";
import { outpointKey } from "@farwatch/protocol/ids";
import { CHAIN_HASHES } from "../config-networks.js";
import { bumpRequests } from "../monitor/bumps/bump-requests.js";
import { claimableBalances } from "../monitor/balances/claimable-balances.js";
import { FLOOR_FEERATES } from "../monitor/constants.js";
import type { BumpRequest, Publish, Transition } from "../monitor/effect.js";
import type { Feerates } from "../monitor/input.js";
import { outstanding } from "../monitor/outstanding.js";
import { MemoryFloors } from "../signer/holder-floors.js";
import { SeedKeys } from "../signer/key-source.js";
import { LocalSigner } from "../signer/local-signer.js";
import { signaturesValid } from "./check-signatures.js";
import { Journal } from "./journal.js";
import { toLdkBalance } from "./ldk-balance.js";
import type { Recording } from "./read-recording.js";
import { RecordedChain } from "./recorded-chain.js";
import type { BalanceShape, NodeShape, TimelineEntry } from "./recording-shape.js";
import { ReplayError } from "./replay-error.js";
import { ReplayedChannel, type ReplayTools } from "./replayed-channel.js";

export interface ReplayedNode {
  readonly journal: Journal;
  readonly channels: readonly ReplayedChannel[];
  readonly chain: RecordedChain;
  /** What the core still wants to broadcast when the recording ends. */
  readonly outstanding: readonly Publish[];
}

export interface ReplayOptions {
  /**
   * Start in the middle: every channel from its ChannelMonitor in the newest group of `snapshot` entries,
   * as if it had been imported there.
   */
  readonly fromSnapshot?: boolean | undefined;
}

export function replayNode(
  recording: Recording,
  name: string,
  curve: Curve,
  { fromSnapshot = false }: ReplayOptions = {},
): ReplayedNode {
  const node = recording.nodes[name];
  if (node === undefined) throw new ReplayError(`${recording.scenario} has no node ${name}`);
  const { timeline } = node;
  const run = new NodeRun(recording, node, curve);
  const start = fromSnapshot ? lastSnapshotIn(timeline) : 0;
  if (start < 0) throw new ReplayError(`${recording.scenario} has no snapshot of node ${name}`);
  for (const entry of timeline.slice(0, start)) run.takeBefore(entry);
  for (const entry of timeline.slice(start)) {
    if (!fromSnapshot && entry.type === "snapshot") continue;
    run.take(entry);
  }
  return run.result();
}

/** Where the newest group of snapshots begins: one of every channel that is open then. */
function lastSnapshotIn(timeline: readonly TimelineEntry[]): number {
  let at = timeline.findLastIndex(({ type }) => type === "snapshot");
  while (at > 0 && timeline[at - 1]?.type === "snapshot") at--;
  return at;
}

class NodeRun {
  readonly #journal = new Journal();
  readonly #channels = new Map<string, ReplayedChannel>();
  readonly #chain: RecordedChain;
  readonly #tools: ReplayTools;
  readonly #seen = new Set<string>();
  #feerates: Feerates;
  #told = "";

  constructor(recording: Recording, node: NodeShape, curve: Curve) {
    this.#chain = new RecordedChain(recording.blocks);
    const floors = new MemoryFloors();
    this.#tools = {
      context: { curve },
      floors,
      signer: new LocalSigner(curve, new SeedKeys(curve, fromHex(node.seed)), floors),
      chainHash: CHAIN_HASHES[recording.network],
    };
    this.#feerates = toFeerates(recording.fee_estimates_sat_per_kw);
  }

  /** What the host was told before the channels came to it: the chain and the fees. */
  takeBefore(entry: TimelineEntry): void {
    if (entry.type === "block_connected") this.#chain.connect(entry.hash);
    if (entry.type === "block_disconnected") this.#chain.disconnect(entry.hash);
    if (entry.type === "fees") this.#feerates = toFeerates(entry.fees);
  }

  take(entry: TimelineEntry): void {
    switch (entry.type) {
      case "watch_channel":
      case "snapshot":
        this.#watch(entry.channel, fromHex(entry.monitor));
        break;
      case "update_channel":
        this.#after(this.#channel(entry.channel), (channel) =>
          channel.update(fromHex(entry.update)),
        );
        break;
      case "block_connected":
        this.#connect(entry.hash);
        break;
      case "block_disconnected":
        this.#disconnect(entry.hash);
        break;
      case "fees":
        this.#feerates = toFeerates(entry.fees);
        break;
      case "balances":
        this.#tellBalances(entry.balances);
        return;
      case "broadcast":
        return; // what the recorded node did; the comparison reads it
      default:
        assertNever(entry);
    }
    this.#publish();
    this.#tellBalances(undefined);
  }

  result(): ReplayedNode {
    const channels = [...this.#channels.values()];
    return {
      journal: this.#journal,
      channels,
      chain: this.#chain,
      outstanding: channels.flatMap(({ state }) => outstanding(this.#tools.context, state)),
    };
  }

  get #height(): number {
    return this.#chain.tip?.height ?? 0;
  }

  #channel(name: string): ReplayedChannel {
    const channel = this.#channels.get(name);
    if (channel === undefined) throw new ReplayError(`${name}: updated before it was watched`);
    return channel;
  }

  #watch(name: string, monitor: Uint8Array): void {
    if (this.#channels.has(name)) throw new ReplayError(`${name}: watched twice`);
    const channel = ReplayedChannel.watch(this.#tools, name, monitor);
    this.#channels.set(name, channel);
    this.#note(channel, channel.told);
  }

  #connect(hash: string): void {
    const block = this.#chain.connect(hash);
    for (const channel of this.#channels.values()) {
      this.#after(channel, () => channel.connect(block, this.#feerates));
    }
  }

  #disconnect(hash: string): void {
    const previous = this.#chain.disconnect(hash);
    for (const channel of this.#channels.values()) {
      this.#after(channel, () => channel.disconnect(previous));
    }
  }

  /** Notes events, and hands relayed preimages to the inbound channel as a running monitor does. */
  #after(channel: ReplayedChannel, act: (channel: ReplayedChannel) => Transition): void {
    this.#note(channel, act(channel));
  }

  #note(channel: ReplayedChannel, { events, relays }: ReplayedChannel["told"]): void {
    for (const event of events) {
      this.#journal.events.push({ height: this.#height, channel: channel.name, event });
    }
    for (const { inboundChannelId, preimage, sourceKey } of relays) {
      for (const inbound of this.#channels.values()) {
        if (inbound.state.parameters.channelId !== inboundChannelId) continue;
        this.#after(inbound, () => inbound.learn(preimage, sourceKey));
      }
    }
  }

  #publish(): void {
    const { context } = this.#tools;
    for (const channel of this.#channels.values()) {
      for (const publish of outstanding(context, channel.state))
        this.#notePublish(channel, publish);
      for (const bump of bumpRequests(context, channel.state)) this.#noteBump(channel, bump);
    }
  }

  #notePublish(channel: ReplayedChannel, publish: Publish): void {
    const { txid, role, spends, tasks } = publish;
    const height = this.#height;
    for (const outpoint of spends) {
      this.#journal.cover(outpoint, height);
      const spender = this.#chain.spenderOf(outpoint);
      if (spender !== undefined && spender !== txid) {
        this.#journal.futile.push({ height, txid, outpoint });
      }
    }
    if (this.#seen.has(txid)) return;
    this.#seen.add(txid);
    const { parameters } = channel.state;
    const signatures = this.#tools.signer.sign(parameters.channelKeysId, tasks);
    this.#journal.broadcasts.push({
      height,
      channel: channel.name,
      role,
      txid,
      spends,
      raw: publish.finish(signatures),
      signaturesValid: signaturesValid(this.#tools.context.curve, channel.state, tasks, signatures),
    });
  }

  #noteBump(channel: ReplayedChannel, bump: BumpRequest): void {
    const height = this.#height;
    const own = bump.kind === "htlcs" ? bump.htlcs.map(({ input }) => input) : [bump.anchor];
    const outpoints = own.flatMap((input) => (input === undefined ? [] : [input.outpoint]));
    for (const outpoint of outpoints) this.#journal.cover(outpoint, height);
    const { claimId, kind, targetFeerate } = bump;
    const key = [claimId, targetFeerate, ...outpoints.map(outpointKey)].join();
    if (this.#seen.has(key)) return;
    this.#seen.add(key);
    const commitmentTxid = kind === "htlcs" ? bump.commitmentTxid : bump.commitment.txid;
    const { name } = channel;
    this.#journal.bumps.push({
      ...{ height, channel: name, kind, claimId, commitmentTxid, outpoints, targetFeerate },
    });
  }

  /** On change, and wherever the recording tells its own. */
  #tellBalances(recorded: readonly BalanceShape[] | undefined): void {
    const balances = [...this.#channels.values()].flatMap(({ state }) =>
      claimableBalances(state).map(toLdkBalance),
    );
    const told = JSON.stringify(balances);
    if (recorded === undefined && told === this.#told) return;
    this.#told = told;
    this.#journal.balances.push({ height: this.#height, balances, recorded });
  }
}

/** LDK asks for UrgentOnChainSweep while an HTLC is at stake, and for OutputSpendingFee otherwise. */
function toFeerates(fees: Readonly<Record<string, number>>): Feerates {
  const { UrgentOnChainSweep: urgent, OutputSpendingFee: normal } = fees;
  return {
    urgent: urgent === undefined ? FLOOR_FEERATES.urgent : feeratePerKw(urgent),
    normal: normal === undefined ? FLOOR_FEERATES.normal : feeratePerKw(normal),
  };
}
