/**
 * One node of a run of test/vectors/ldk-0.1.0: its first monitor and its updates go through the core in
 * their order. The runs hold no blocks; what LDK's later monitors say about heights and confirmed
 * transactions is put into blocks made up for it.
 */
import { must } from "@farwatch/protocol/assert";
import { blockHash, blockHeight, type BlockPoint } from "@farwatch/protocol/block";
import { concatBytes, fromHex } from "@farwatch/protocol/bytes";
import type { Curve } from "@farwatch/protocol/curve/curve";
import type { NewMonitorEvent } from "@farwatch/protocol/event";
import { outpointKey, type Outpoint } from "@farwatch/protocol/ids";
import { decodeChannelMonitor, type LdkChannelMonitor } from "@farwatch/protocol/ldk/monitor";
import type { VectorRow } from "@farwatch/protocol/ldk/load-vectors.test";
import { layOutBlock } from "../../chain/block-layout.js";
import { coinbase } from "../../chain/testing/fake-chain.js";
import { HEADER_BYTES, parseHeader } from "../../chain/verify-header.js";
import { txidsOf } from "../../chain/verify-block.js";
import { CHAIN_HASHES } from "../../config-networks.js";
import { FLOOR_FEERATES } from "../../monitor/constants.js";
import type { Publish, Transition } from "../../monitor/effect.js";
import { livePaymentHashes, liveSourceKeys } from "../../monitor/htlcs.js";
import { outstanding } from "../../monitor/outstanding.js";
import { MemoryFloors } from "../../signer/holder-floors.js";
import { SeedKeys } from "../../signer/key-source.js";
import { LocalSigner } from "../../signer/local-signer.js";
import { parseTx } from "../../tx/parsed-tx.js";
import { signaturesValid } from "../check-signatures.js";
import { Journal } from "../journal.js";
import { ReplayedChannel } from "../replayed-channel.js";
import type { RecordedBlock } from "../recorded-chain.js";

/** Seeds of the two nodes, the same in every run. */
const SEEDS: Readonly<Record<string, string>> = { a: "01".repeat(32), b: "02".repeat(32) };

export function decoded(row: VectorRow): LdkChannelMonitor {
  const result = decodeChannelMonitor(row.bytes);
  return must(result.ok ? result.value : undefined, `monitor ${row.label}`);
}

/** Raw transactions by the height at which some monitor of the run has them confirmed. */
export function confirmedIn(rows: readonly VectorRow[]): ReadonlyMap<number, Set<string>> {
  const found = new Map<number, Set<string>>();
  const raws = new Map<number, Map<string, Uint8Array>>();
  for (const row of rows.filter(({ kind }) => kind === "monitor")) {
    for (const { height, txid, transaction } of decoded(row).waitingFacts) {
      if (transaction === undefined) continue;
      const block = raws.get(height) ?? new Map<string, Uint8Array>();
      raws.set(height, block.set(txid, transaction));
    }
  }
  for (const [height, block] of raws) {
    found.set(height, new Set([...block.values()].map((raw) => Buffer.from(raw).toString("hex"))));
  }
  return found;
}

export class VectorRun {
  readonly journal = new Journal();
  readonly events: NewMonitorEvent[] = [];
  readonly published = new Map<string, Publish>();
  /** Outpoints that a block has spent, with its height. */
  readonly spent = new Map<string, number>();
  /** What commitments that can still confirm named when the counterparty revoked last. */
  kept: { readonly hashes: ReadonlySet<string>; readonly sources: ReadonlySet<string> } = {
    hashes: new Set(),
    sources: new Set(),
  };
  readonly #floors = new MemoryFloors();
  readonly #signer: LocalSigner;
  #channel: ReplayedChannel | undefined;
  #tip: BlockPoint = { height: blockHeight(0), hash: blockHash("00".repeat(32)) };

  constructor(
    private readonly curve: Curve,
    node: string,
    private readonly confirmed: ReadonlyMap<number, ReadonlySet<string>>,
  ) {
    const seed = fromHex(must(SEEDS[node], "a seed"));
    this.#signer = new LocalSigner(curve, new SeedKeys(curve, seed), this.#floors);
  }

  get channel(): ReplayedChannel {
    return must(this.#channel, "the first monitor comes first");
  }

  watch(row: VectorRow): void {
    const { funding, bestBlock } = decoded(row);
    const { regtest: chainHash } = CHAIN_HASHES;
    const context = { curve: this.curve };
    const tools = { context, signer: this.#signer, floors: this.#floors, chainHash };
    this.#channel = ReplayedChannel.watch(tools, outpointKey(funding), row.bytes);
    this.#tip = { ...this.#tip, height: blockHeight(bestBlock.height) };
    this.#publish();
  }

  update(row: VectorRow): void {
    const before = this.channel.state.secrets;
    this.#note(this.channel.update(row.bytes));
    const { state } = this.channel;
    if (state.secrets === before) return;
    this.kept = { hashes: livePaymentHashes(state), sources: liveSourceKeys(state) };
  }

  /** Blocks up to that height; nothing when the chain is there already. */
  mineTo(height: number): void {
    while (this.#tip.height < height) {
      const block = this.#block(blockHeight(this.#tip.height + 1));
      this.#tip = block.point;
      for (const { inputs } of block.transactions) {
        for (const { outpoint } of inputs)
          this.spent.set(outpointKey(outpoint), block.point.height);
      }
      this.#note(this.channel.connect(block, FLOOR_FEERATES));
    }
  }

  #note({ events }: Transition): void {
    this.events.push(...events);
    this.#publish();
  }

  #publish(): void {
    const { state } = this.channel;
    for (const publish of outstanding({ curve: this.curve }, state)) {
      for (const outpoint of publish.spends) this.journal.cover(outpoint, this.#tip.height);
      if (this.published.has(publish.txid)) continue;
      this.published.set(publish.txid, publish);
      const { parameters } = state;
      const signatures = this.#signer.sign(parameters.channelKeysId, publish.tasks);
      this.journal.broadcasts.push({
        height: this.#tip.height,
        channel: this.channel.name,
        role: publish.role,
        txid: publish.txid,
        spends: publish.spends,
        raw: publish.finish(signatures),
        signaturesValid: signaturesValid(this.curve, state, publish.tasks, signatures),
      });
    }
  }

  #isSpent = (outpoint: Outpoint): boolean => this.spent.has(outpointKey(outpoint));

  /** A block by its layout alone: neither work nor merkle root. */
  #block(height: BlockPoint["height"]): RecordedBlock {
    // One of the runs confirmed a transaction whose input was spent long before: no chain holds it.
    const transactions = [...(this.confirmed.get(height) ?? [])]
      .map(fromHex)
      .filter((raw) => !parseTx(raw).inputs.some((input) => this.#isSpent(input.outpoint)));
    const head = new Uint8Array(HEADER_BYTES);
    new DataView(head.buffer).setUint32(0, height);
    const all = [coinbase(height), ...transactions];
    const raw = concatBytes(head, Uint8Array.of(all.length), ...all);
    const parsed = parseHeader(head, height);
    const header = must(parsed.ok ? parsed.value : undefined, "80 bytes");
    return {
      point: { height, hash: header.hash },
      previous: this.#tip,
      verified: { header, raw, txids: txidsOf(raw, must(layOutBlock(raw), "a block")) },
      transactions: transactions.map(parseTx),
    };
  }
}
