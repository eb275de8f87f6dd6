/** One recording from start to file: a chain, two or three nodes, what the scenario did, and its sweeps. */
import { must } from "@farwatch/protocol/assert";
import { fromHex, toHex } from "@farwatch/protocol/bytes";
import { Transaction } from "bitcoinjs-lib";
import { inputsOf, RecordedChain } from "./chain/recorded-chain.js";
import { Draw } from "./draw.js";
import type { ChannelTypeName, FeeTable, Funding, Meta } from "./fixture/document.js";
import { ldk } from "./ldk/module.js";
import { okOf } from "./ldk/result.js";
import { scriptOf } from "./ldk/traits.js";
import { LightningNode } from "./node/lightning-node.js";
import { Network, type ChannelPlan } from "./node/network.js";
import { Sequence } from "./node/timeline.js";

export interface RunOptions {
  readonly scenario: string;
  readonly channelType: ChannelTypeName;
  readonly seed: number;
  readonly nodes: readonly string[];
  /** Percent by which drawn HTLC amounts are scaled. */
  readonly scalePercent: number;
  /** Sat; drawn when absent. */
  readonly channelSat?: number;
}

/** LDK's log of a run; only the end is of use, when the run fails. */
const LOG_LINES = 3_000;
const SWEEP_SAT_PER_KW = 1_500;
/** Confirmed coins of each node's own wallet, for anchors. */
const WALLET_COINS = 3;

export class Run {
  /** Payment hashes by what becomes of the HTLC. */
  readonly htlcs: Record<string, string> = {};
  /** What else a reader needs to know. */
  meta: Omit<Meta, "htlcs"> = {};
  readonly fundings: Funding[] = [];
  readonly sweeps = new Set<string>();
  readonly log: string[] = [];
  readonly network: Network;
  readonly #firstFees: FeeTable;
  #fees: FeeTable;

  private constructor(
    readonly options: RunOptions,
    readonly draw: Draw,
    readonly chain: RecordedChain,
  ) {
    this.#firstFees = drawFees(draw);
    this.#fees = this.#firstFees;
    const sequence = new Sequence();
    const world = {
      chain,
      sequence,
      channelType: options.channelType,
      fees: () => this.#fees,
      log: (line: string) => this.#log(line),
    };
    const nodes = options.nodes.map((name) => new LightningNode(planNode(draw, name), world));
    this.network = new Network(chain, nodes);
  }

  static async start(options: RunOptions): Promise<Run> {
    const { seed, scenario, channelType } = options;
    const draw = new Draw(`${seed} ${scenario} ${channelType}`);
    const chain = await RecordedChain.start(draw.int("blocks before the run", 0, 40));
    try {
      const run = new Run(options, draw, chain);
      for (const node of run.network.nodes) {
        for (let coin = 0; coin < WALLET_COINS; coin++) {
          chain.pay(node.wallet, draw.int(`coin ${coin} of ${node.name}`, 20_000_000, 60_000_000));
        }
      }
      run.network.mine();
      return run;
    } catch (error) {
      await chain.stop();
      throw error;
    }
  }

  node(name: string): LightningNode {
    return must(
      this.network.nodes.find((node) => node.name === name),
      `node ${name}`,
    );
  }

  get firstFees(): FeeTable {
    return this.#firstFees;
  }

  get fees(): FeeTable {
    return this.#fees;
  }

  /** From here on the fee estimators answer differently. */
  changeFees(change: Partial<FeeTable>): void {
    this.#fees = { ...this.#fees, ...change };
    for (const { timeline } of this.network.nodes) timeline.add({ type: "fees", fees: this.#fees });
  }

  openChannel(opener: LightningNode, acceptor: LightningNode): Funding {
    const funding = this.network.openChannel(opener, acceptor, this.#channelPlan(opener.name));
    this.fundings.push(funding);
    return funding;
  }

  /** An HTLC amount that every commitment carries as an output; not whole satoshis on purpose. */
  htlcMsat(label: string): bigint {
    const sat = this.draw.int(`${label} sat`, 14_000, 60_000);
    return BigInt(Math.round((sat * this.options.scalePercent) / 100) * 1_000) + this.#msat(label);
  }

  /** Below LDK's lowest dust limit (354 sat) on either side. */
  dustMsat(label: string): bigint {
    return BigInt(this.draw.int(`${label} sat`, 120, 340) * 1_000) + this.#msat(label);
  }

  /** Spends everything the nodes were told is theirs, which proves that it is; mines one block. */
  sweep(): void {
    for (const node of this.network.nodes) this.#sweepOf(node);
    this.network.mine();
  }

  #msat(label: string): bigint {
    return BigInt(this.draw.int(`${label} msat`, 0, 999));
  }

  #channelPlan(opener: string): ChannelPlan {
    const drawn = this.draw.int(`channel of ${opener}`, 1_200_000, 2_600_000);
    const valueSat = this.options.channelSat ?? drawn;
    const pushed = this.draw.int(`pushed by ${opener}, percent`, 30, 45);
    return { valueSat, pushMsat: valueSat * 10 * pushed };
  }

  #sweepOf(node: LightningNode): void {
    const outputs = node.events.flatMap((event) =>
      event instanceof ldk.Event_SpendableOutputs ? event.outputs : [],
    );
    if (outputs.length === 0) return;
    const script = scriptOf(this.chain.rpc, node.wallet, this.chain.newAddress(node.wallet));
    const spent = node.keys
      .as_OutputSpender()
      .spend_spendable_outputs(
        outputs,
        [],
        script,
        SWEEP_SAT_PER_KW,
        ldk.Option_u32Z.constructor_none(),
      );
    const raw = toHex(okOf(spent, ldk.Result_TransactionNoneZ_OK, `sweep of ${node.name}`).res);
    const tx = Transaction.fromBuffer(fromHex(raw));
    const { ok, error } = this.chain.send(raw);
    if (!ok) throw new Error(`sweep of ${node.name} refused: ${error}`);
    this.sweeps.add(tx.getId());
    const txid = tx.getId();
    node.timeline.add({ type: "sweep", inputs: inputsOf(tx), txid, raw, accepted: ok });
  }

  #log(line: string): void {
    this.log.push(line);
    if (this.log.length > 2 * LOG_LINES) this.log.splice(0, LOG_LINES);
  }
}

const planNode = (draw: Draw, name: string) => ({
  name,
  seed: draw.bytes(`seed of ${name}`),
  startSecs: BigInt(draw.int(`start of ${name}, s`, 1_690_000_000, 1_750_000_000)),
  startNanos: draw.int(`start of ${name}, ns`, 0, 999_999_999),
  toSelfDelay: draw.int(`to_self_delay asked by ${name}`, 144, 170),
  cltvExpiryDelta: draw.int(`cltv_expiry_delta of ${name}`, 48, 60),
});

function drawFees(draw: Draw): FeeTable {
  return {
    MaximumFeeEstimate: 15_000,
    UrgentOnChainSweep: draw.int("urgent fee", 1_800, 4_000),
    MinAllowedAnchorChannelRemoteFee: 253,
    MinAllowedNonAnchorChannelRemoteFee: 253,
    AnchorChannelFee: draw.int("anchor channel fee", 400, 700),
    NonAnchorChannelFee: draw.int("channel fee", 1_500, 2_500),
    ChannelCloseMinimum: draw.int("closing fee", 900, 1_200),
    OutputSpendingFee: draw.int("spending fee", 1_200, 1_700),
  };
}
