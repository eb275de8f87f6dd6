/**
 * What a node needs to spend from a channel and Farwatch's events do not repeat, read out of the channel's own
 * ChannelMonitor and updates, which the manager-service keeps: parameters and the name of the keys for swept
 * outputs; commitments of ours, the counterparty's signatures and preimages for bump requests. Fetched when
 * it is needed, so that a channel in use costs nothing.
 */
import type {
  GetLdkMonitorResponse,
  LdkMonitorStart,
} from "@farwatch/protocol/gen/manager/v1/manager_service";
import {
  hashOfPreimage,
  type ChannelId,
  type PaymentHash,
  type Preimage,
  type Txid,
} from "@farwatch/protocol/ids";
import {
  channelTransactionParameters,
  type LdkHolderCommitment,
} from "@farwatch/protocol/ldk/commitment";
import { describeFailure } from "@farwatch/protocol/ldk/cursor";
import { decodeChannelMonitor, type LdkChannelMonitor } from "@farwatch/protocol/ldk/monitor";
import { decodeMonitorUpdate, type LdkUpdateStep } from "@farwatch/protocol/ldk/update";
import { encodeWhole } from "@farwatch/protocol/ldk/writer";
import { RemoteWatchError } from "./errors.js";
import type { InFlight } from "./in-flight.js";
import type { ManagerLink } from "./manager-link.js";

/** The same for the life of a channel. */
export interface ChannelFacts {
  readonly channelId: ChannelId;
  readonly counterpartyNodeId: Uint8Array;
  readonly valueSat: bigint;
  readonly keysId: Uint8Array;
  /** `ChannelTransactionParameters.write()`. */
  readonly parameters: Uint8Array;
}

/** What our side can broadcast now, with what spends its HTLCs. */
export interface HolderFacts extends ChannelFacts {
  readonly commitments: ReadonlyMap<Txid, LdkHolderCommitment>;
  readonly preimages: ReadonlyMap<PaymentHash, Preimage>;
}

/** Our newest commitment and those before: with updates in flight the newest is not the one in the chain. */
const COMMITMENTS_KEPT = 4;

export class FactsOfChannels {
  readonly #known = new Map<ChannelId, ChannelFacts>();

  constructor(
    private readonly link: ManagerLink,
    private readonly inFlight: InFlight,
  ) {}

  /** Throws RemoteWatchError replicaUnusable, or what the connection ended with. */
  async of(id: ChannelId): Promise<ChannelFacts> {
    const known = this.#known.get(id);
    if (known !== undefined) return known;
    const { start } = await this.#fetch(id, 0n);
    const facts = factsOf(id, readMonitor(id, start.monitor));
    this.#known.set(id, facts);
    return facts;
  }

  /** With everything that any monitor can have: also what is not durable on all of them. */
  async ofHolder(id: ChannelId): Promise<HolderFacts> {
    const { start: first } = await this.#fetch(id, 0n);
    const { start, updates } = await this.#fetch(id, first.durableId);
    const monitor = readMonitor(id, start.monitor);
    const gathered = new HolderState(monitor);
    for (const bytes of [...updates, ...this.inFlight.after(id, first.durableId)]) {
      const update = decodeMonitorUpdate(bytes);
      if (!update.ok) throw unusable(id, describeFailure(update.error));
      for (const { value } of update.value.steps) gathered.apply(value);
    }
    return { ...factsOf(id, monitor), ...gathered.facts() };
  }

  #fetch(id: ChannelId, told: bigint) {
    const request = { channelId: Buffer.from(id, "hex"), told };
    return this.link.use((rpc) => collect(id, rpc.getLdkMonitor(request)));
  }
}

async function collect(id: ChannelId, parts: AsyncIterable<GetLdkMonitorResponse>) {
  let start: LdkMonitorStart | undefined;
  const updates: Uint8Array[] = [];
  for await (const { part } of parts) {
    if (part?.$case === "start") start = part.value;
    else if (part?.$case === "updates") updates.push(...part.value.updates);
  }
  if (start === undefined) throw unusable(id, "nothing came");
  return { start, updates };
}

function readMonitor(id: ChannelId, bytes: Uint8Array): LdkChannelMonitor {
  const decoded = decodeChannelMonitor(Uint8Array.from(bytes));
  if (!decoded.ok) throw unusable(id, describeFailure(decoded.error));
  return decoded.value;
}

function factsOf(id: ChannelId, monitor: LdkChannelMonitor): ChannelFacts {
  const { channelKeysId, channelValueSat, onchainTxHandler, trailer } = monitor;
  const parameters = encodeWhole(
    "parameters",
    channelTransactionParameters,
    onchainTxHandler.parameters,
  );
  if (!parameters.ok) throw unusable(id, "its parameters cannot be written");
  if (trailer.counterpartyNodeId === undefined) throw unusable(id, "it names no counterparty");
  return {
    channelId: id,
    counterpartyNodeId: Uint8Array.from(trailer.counterpartyNodeId),
    valueSat: channelValueSat,
    keysId: Uint8Array.from(channelKeysId),
    parameters: parameters.value,
  };
}

class HolderState {
  #commitments: readonly LdkHolderCommitment[];
  readonly #preimages = new Map<PaymentHash, Preimage>();

  constructor({ onchainTxHandler, bodyPreimages }: LdkChannelMonitor) {
    const { previousHolderCommitment: previous, holderCommitment } = onchainTxHandler;
    this.#commitments = previous === undefined ? [holderCommitment] : [previous, holderCommitment];
    for (const preimage of bodyPreimages) this.#preimages.set(hashOfPreimage(preimage), preimage);
  }

  apply(step: LdkUpdateStep): void {
    if (step.kind === "paymentPreimage") {
      this.#preimages.set(hashOfPreimage(step.preimage), step.preimage);
    } else if (step.kind === "latestHolderCommitmentInfo") {
      this.#commitments = [...this.#commitments, step.commitment].slice(-COMMITMENTS_KEPT);
    } else if (step.kind === "latestHolderCommitment") {
      const [previous] = this.#commitments.slice(-1);
      this.#commitments = [...(previous === undefined ? [] : [previous]), ...step.commitments];
    }
  }

  facts(): Pick<HolderFacts, "commitments" | "preimages"> {
    const byTxid = this.#commitments.map((one) => [one.commitment.built.txid, one] as const);
    return { commitments: new Map(byTxid), preimages: this.#preimages };
  }
}

const unusable = (id: ChannelId, why: string): RemoteWatchError =>
  new RemoteWatchError("replicaUnusable", `channel ${id}: ${why}`);
