/**
 * One channel of a replayed node: the core's state, and what the shell of a running monitor keeps beside
 * it (the counterparty's commitments by txid). LDK's bytes go in, what the core asks for comes out.
 */
import { sha256 } from "@noble/hashes/sha2.js";
import { must } from "@farwatch/protocol/assert";
import type { BlockPoint } from "@farwatch/protocol/block";
import { equalBytes, toHex } from "@farwatch/protocol/bytes";
import type { CounterpartyCommitment, InitialState } from "@farwatch/protocol/channel";
import { parseInitialState } from "@farwatch/protocol/convert/channel";
import { readImportedEvents } from "@farwatch/protocol/convert/imported-events";
import {
  hash32,
  outpointKey,
  updateId,
  type Hash32,
  type Preimage,
  type SourceKey,
  type Txid,
} from "@farwatch/protocol/ids";
import { describeFailure } from "@farwatch/protocol/ldk/cursor";
import { decodeMonitorUpdate } from "@farwatch/protocol/ldk/update";
import type { Refusal } from "@farwatch/protocol/reasons";
import { OutpointIndex, TxidIndex } from "../chain/outpoint-index.js";
import { scanBlock } from "../chain/scan-block.js";
import type { MonitorContext } from "../monitor/context.js";
import { createMonitor } from "../monitor/create.js";
import { importEvents } from "../monitor/import-events.js";
import { revokedBeforeImport } from "../monitor/imported-commitment.js";
import type { Transition } from "../monitor/effect.js";
import type { Feerates, MonitorInput, StoredCommitment } from "../monitor/input.js";
import { watched } from "../monitor/outstanding.js";
import type { MonitorState } from "../monitor/state.js";
import { step } from "../monitor/step.js";
import { counterpartyCommitmentsIn, firstCommitmentsIn } from "../runtime/stored-commitments.js";
import type { MemoryFloors } from "../signer/holder-floors.js";
import type { ChannelSigner } from "../signer/signer.js";
import { parseTx, type ParsedTx } from "../tx/parsed-tx.js";
import { readLdkMonitor } from "@farwatch/protocol/ldk/convert/read-monitor";
import { toUpdateSteps } from "@farwatch/protocol/ldk/convert/update-steps";
import type { RecordedBlock } from "./recorded-chain.js";
import { ReplayError } from "./replay-error.js";

/** A replay has one channel to an index, and no attacker who picks its keys. */
const ALONE = 0;
const ANY_SEED = 0;

export interface ReplayTools {
  readonly context: MonitorContext;
  readonly signer: ChannelSigner;
  readonly floors: MemoryFloors;
  /** Genesis block hash, internal byte order. */
  readonly chainHash: string;
}

export class ReplayedChannel {
  state: MonitorState;
  readonly #commitments = new Map<Txid, CounterpartyCommitment>();
  readonly #ldkMonitor: Uint8Array | undefined;

  private constructor(
    private readonly tools: ReplayTools,
    /** Funding outpoint, `txid:vout`. */
    readonly name: string,
    /** What it had to tell at once. */
    readonly told: Pick<Transition, "state" | "events" | "relays">,
    initial: InitialState,
  ) {
    this.state = told.state;
    this.#ldkMonitor = initial.ldkMonitor;
    for (const first of firstCommitmentsIn(initial)) this.#commitments.set(first.txid, first);
    this.#raiseFloor();
  }

  /** From a monitor LDK wrote for the channel, the first one or a later one. */
  static watch(tools: ReplayTools, name: string, monitor: Uint8Array): ReplayedChannel {
    const { curve } = tools.context;
    const read = readLdkMonitor(monitor, tools.chainHash, curve);
    if (!read.ok) throw refused(name, "ChannelMonitor", read.error);
    const { payload, firstUpdateId, latestUpdateId } = read.value;
    const initial = parseInitialState(payload);
    if (!initial.ok) throw refused(name, "ChannelMonitor", initial.error);
    const { parameters, bestBlock } = initial.value;
    if (outpointKey(parameters.funding) !== name) {
      throw new ReplayError(`${name}: the monitor is of ${outpointKey(parameters.funding)}`);
    }
    const keys = tools.signer.pubkeys(parameters.channelKeysId);
    if (
      !equalBytes(
        must(keys, "a seed has every key").fundingPubkey,
        parameters.holderPubkeys.fundingPubkey,
      )
    ) {
      throw new ReplayError(`${name}: the seed gives other keys than the channel's`);
    }
    const created = createMonitor(tools.context, initial.value, {
      updateId: latestUpdateId,
      updateHash: hashOf(monitor),
      best: must(bestBlock, "every monitor of LDK has one"),
    });
    if (!created.ok) throw refused(name, "ChannelMonitor", created.error);
    const imported = readImportedEvents(payload, firstUpdateId);
    if (!imported.ok) throw refused(name, "ChannelMonitor", imported.error);
    const told = importEvents(tools.context, created.value, imported.value);
    if (!told.ok) throw refused(name, "ChannelMonitor", told.error);
    return new ReplayedChannel(tools, name, told.value, initial.value);
  }

  update(bytes: Uint8Array): Transition {
    const decoded = decodeMonitorUpdate(bytes);
    if (!decoded.ok) throw new ReplayError(`${this.name}: ${describeFailure(decoded.error)}`);
    const id = updateId(decoded.value.updateId);
    const steps = toUpdateSteps(decoded.value, () => this.state);
    if (!steps.ok) throw refused(this.name, `update ${id}`, steps.error);
    if (id !== this.state.latestUpdateId + 1n) {
      throw new ReplayError(`${this.name}: update ${id} follows ${this.state.latestUpdateId}`);
    }
    const input = {
      kind: "updateReceived" as const,
      updateId: id,
      updateHash: hashOf(bytes),
      steps: steps.value,
      verifySignatures: true,
    };
    const done = this.#step(input, `update ${id}`);
    for (const commitment of steps.value.flatMap(counterpartyCommitmentsIn)) {
      this.#commitments.set(commitment.txid, commitment);
    }
    return done;
  }

  learn(preimage: Preimage, sourceKey: SourceKey): Transition {
    const input = { kind: "preimagesLearned" as const, preimages: [{ preimage, sourceKey }] };
    return this.#step(input, "a relayed preimage");
  }

  /** The core sees what the follower of a running monitor would hand it, not the whole block. */
  connect({ point, verified }: RecordedBlock, feerates: Feerates): Transition {
    const transactions = scanBlock(verified.raw, this.#watch(), verified.txids).map(({ raw }) =>
      parseTx(raw),
    );
    const input = {
      kind: "blockConnected" as const,
      block: point,
      transactions,
      storedCommitments: this.#storedFor(transactions),
      feerates,
    };
    return this.#step(input, `block ${point.height}`);
  }

  disconnect(forkPoint: BlockPoint): Transition {
    const input = { kind: "blocksDisconnected" as const, forkPoint };
    return this.#step(input, `disconnecting down to ${forkPoint.height}`);
  }

  #step(input: MonitorInput, what: string): Transition {
    const done = step(this.tools.context, this.state, input);
    if (!done.ok) throw refused(this.name, what, done.error);
    this.state = done.value.state;
    this.#raiseFloor();
    return done.value;
  }

  /** As a running monitor does before the update is told durable: nothing older is signed from now on. */
  #raiseFloor(): void {
    const { parameters, holderFloor: number } = this.state;
    void this.tools.floors.raise([{ channelId: parameters.channelId, number }]);
  }

  #watch(): Parameters<typeof scanBlock>[1] {
    const watch = { outpoints: new OutpointIndex(ANY_SEED), txids: new TxidIndex(ANY_SEED) };
    const { outpoints, txids } = watched(this.state);
    for (const outpoint of outpoints) watch.outpoints.add(outpoint, ALONE);
    for (const txid of txids) watch.txids.add(txid, ALONE);
    return watch;
  }

  #storedFor(transactions: readonly ParsedTx[]): ReadonlyMap<Txid, StoredCommitment> {
    return new Map(
      transactions.flatMap(({ txid }) => {
        const known =
          this.#commitments.get(txid) ??
          (this.#ldkMonitor && revokedBeforeImport(this.state, this.#ldkMonitor, txid));
        return known === undefined ? [] : [[txid, known] as const];
      }),
    );
  }
}

/** Stands for the signed hash a manager would send; nothing is decided by it. */
const hashOf = (bytes: Uint8Array): Hash32 => hash32(toHex(sha256(bytes)));

function refused(name: string, what: string, { reason, message, details }: Refusal): ReplayError {
  const facts = Object.entries(details).map(([key, value]) => `, ${key} ${value}`);
  return new ReplayError(`${name}: ${what} refused: ${reason}: ${message}${facts.join("")}`);
}
