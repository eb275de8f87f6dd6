/**
 * One channel of the matrix from its first commitment to its close: opened under the monitor's watch,
 * with the HTLCs of its plan, and with names for what the close will leave on chain.
 */
import assert from "node:assert/strict";
import { Transaction } from "bitcoinjs-lib";
import { msat, sat } from "@farwatch/protocol/amount";
import { must } from "@farwatch/protocol/assert";
import { blockDelta } from "@farwatch/protocol/block";
import { txid, type Outpoint } from "@farwatch/protocol/ids";
import { createChannel, type Channel } from "../../harness/channel/channel.js";
import { findUntrimmed, type SignedCommitment } from "../../harness/channel/commitment.js";
import type { Htlc } from "../../harness/channel/ledger.js";
import type { ChannelSetup, Side } from "../../harness/channel/setup.js";
import type { Splice } from "../../harness/channel/splice.js";
import { offer, secretNamed, type Secret } from "../../harness/channel/test-channel.js";
import type { Bed } from "./bed.js";
import { cellName, PLANS, type CellId, type PlannedHtlc } from "./cells.js";

const CAPACITY_SAT = 1_000_000n;
const PUSHED_MSAT = 400_000_000n;
/** Longer than any deadline of ours before a close (36 blocks), so that no monitor closes by itself. */
const BLOCKS_TO_EXPIRY = 60;
/** to_self_delay on our outputs: longer than 6 blocks, so that it is what they wait for. */
const OUR_DELAY = blockDelta(9);
/** On the counterparty's: no test lets it run out. */
const THEIR_DELAY = blockDelta(40);

export interface CellHtlc {
  readonly plan: PlannedHtlc;
  readonly htlc: Htlc;
  readonly secret: Secret;
}

export class Cell {
  readonly htlcs: CellHtlc[] = [];
  /** The commitment that will confirm, or did. */
  closing: SignedCommitment | undefined;
  /** Of a cooperative close: what it pays us. */
  closingOutput: Outpoint | undefined;
  /** The pending splice whose commitment closes the channel. */
  splice: Splice | undefined;
  /** An HTLC of ours that the closing commitment does not have yet. */
  absent: Htlc | undefined;
  /** Outputs told as spendable whose sweep was tried. */
  readonly swept = new Set<string>();
  /** Events at the last look for such outputs. */
  eventsSeen = 0;
  /** What went wrong before the end. */
  readonly faults: string[] = [];

  constructor(
    readonly id: CellId,
    readonly channel: Channel,
    readonly expiry: number,
  ) {}

  /** Of the funding that the closing commitment spends. */
  get setup(): ChannelSetup {
    const { splices } = this.channel;
    return this.splice === undefined ? splices.locked.setup : splices.setupOn(this.splice.funding);
  }

  get commitment(): SignedCommitment {
    return must(this.closing, "the commitment that confirms");
  }

  /** Offers all of the plan and commits them on both sides. */
  async offerAll(): Promise<void> {
    const { channel, expiry } = this;
    for (const plan of PLANS[this.id.pending]) {
      const name = `${cellName(this.id)}: ${plan.secret}`;
      const htlc = offer(channel, plan.from, plan.sat, name, expiry);
      this.htlcs.push({ plan, htlc, secret: secretNamed(name) });
    }
    await channel.settle();
  }

  /** Untrimmed HTLCs of the closing commitment, with their outputs. */
  outputs(): readonly (CellHtlc & { readonly outpoint: Outpoint })[] {
    const { commitment } = this;
    return this.htlcs
      .filter(({ plan }) => plan.sat >= commitmentDustSat(commitment, this.setup))
      .map((entry) => {
        const { outputIndex } = findUntrimmed(commitment, entry.htlc);
        return { ...entry, outpoint: { txid: commitment.built.txid, vout: outputIndex } };
      });
  }

  /** Those offered by `from` that go that way. */
  outputsOf(from: Side, fate: PlannedHtlc["fate"]) {
    return this.outputs().filter(({ plan }) => plan.from === from && plan.fate === fate);
  }

  main(index: "toLocalIndex" | "toRemoteIndex"): Outpoint {
    const { built } = this.commitment;
    return { txid: built.txid, vout: must(built[index], index) };
  }
}

const commitmentDustSat = ({ side }: SignedCommitment, setup: ChannelSetup): bigint =>
  setup.sides[side].dustLimitSat;

/** Channels for all of these, funded by one transaction and watched before it confirms. */
export async function openCells(
  bed: Bed,
  ids: readonly CellId[],
  blocksToExpiry = BLOCKS_TO_EXPIRY,
): Promise<readonly Cell[]> {
  const plans = ids.map(({ type }) => {
    const made: { channel?: Channel } = {};
    const plan = createChannel({
      channelType: type,
      capacitySat: sat(CAPACITY_SAT),
      pushMsat: msat(PUSHED_MSAT),
      curve: bed.curve,
      holder: { contestDelay: THEIR_DELAY },
      counterparty: { contestDelay: OUR_DELAY },
      onUpdate: async (steps) => {
        const { channelId } = must(made.channel, "an open channel");
        const { host, manager } = bed;
        const update = manager.update(channelId, steps);
        const outcome = await host.submitUpdates(manager.who, manager.batch(update));
        assert.deepEqual(outcome.refused, []);
      },
    });
    return { plan, made };
  });
  const fundingTxid = await fundAll(
    bed,
    plans.map(({ plan }) => plan.fundingScriptPubkey),
  );
  const expiry = (await bed.node.height()) + blocksToExpiry;
  const cells = await Promise.all(
    plans.map(async ({ plan, made }, vout) => {
      const channel = plan.open({ txid: txid(fundingTxid), vout });
      made.channel = channel;
      const request = bed.manager.watch(channel.initialState("holder"));
      const watched = await bed.host.watchChannel(bed.manager.who, request);
      assert.ok(watched.ok, watched.ok ? "" : watched.error.message);
      return new Cell(must(ids[vout], "one id per plan"), channel, expiry);
    }),
  );
  await bed.mine();
  return cells;
}

/** One transaction of the wallet that pays each script the capacity, in this order. */
async function fundAll({ node }: Bed, scripts: readonly Uint8Array[]): Promise<string> {
  const draft = new Transaction();
  draft.version = 2;
  for (const script of scripts) draft.addOutput(script, CAPACITY_SAT);
  const options = { changePosition: scripts.length, lockUnspents: true };
  const funded = await node.wallet.rpc("fundrawtransaction", [draft.toHex(), options, false]);
  const signed = await node.wallet.rpc("signrawtransactionwithwallet", [hexOf(funded)]);
  return String(await node.rpc("sendrawtransaction", [hexOf(signed)]));
}

function hexOf(answer: unknown): string {
  assert.ok(typeof answer === "object" && answer !== null && "hex" in answer);
  return String(answer.hex);
}
