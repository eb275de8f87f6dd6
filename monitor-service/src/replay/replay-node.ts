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

export function replayNode(recording: Recording, name: string, curve: Curve): ReplayedNode {
  const node = recording.nodes[name];
  if (node === undefined) throw new ReplayError(`${recording.scenario} has no node ${name}`);
  const run = new NodeRun(recording, node, curve);
  for (const entry of node.timeline) run.take(entry);
  return run.result();
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

  take(entry: TimelineEntry): void {
    switch (entry.type) {
      case "watch_channel":
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
    this.#channels.set(name, ReplayedChannel.watch(this.#tools, name, monitor));
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
    const { events, relays } = act(channel);
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
      for (const publish of outstanding(context, channel.state)) this.#note(channel, publish);
      for (const bump of bumpRequests(context, channel.state)) this.#noteBump(channel, bump);
    }
  }

  #note(channel: ReplayedChannel, publish: Publish): void {
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
