/**
 * The fundings of a channel as LDK's monitor has them, the locked one and those pending, each with the
 * commitments that spend it. LDK keeps the locked one in the body, where it also keeps what all share:
 * points, numbers, and our HTLCs with their sources.
 */
import type {
  ChannelParameters,
  CounterpartyCommitment,
  HolderCommitment,
  NegotiatedFunding,
} from "../../channel.js";
import { fail, present, readFeerate, readSat } from "../../convert/reader.js";
import type { Curve } from "../../curve/curve.js";
import { commitmentNumber, type CommitmentNumber, type Txid } from "../../ids.js";
import type { LdkHolderCommitment, SourcedHtlc } from "../commitment.js";
import type { LdkChannelMonitor, LdkHolderSignedTx } from "../monitor.js";
import { onNewFunding, toCommitmentNumber, toHolderCommitment, toHtlcs } from "./commitment.js";
import { findValues, type ValueBasis } from "./counterparty-values.js";
import { knownPreimages } from "./known-preimages.js";
import { failImport } from "./not-importable.js";
import { toParameters, type ChannelContext } from "./parameters.js";

export interface ImportedScope {
  readonly now: NegotiatedFunding;
  readonly previousHolder: HolderCommitment | undefined;
  /** Not revoked yet. */
  readonly previousCounterparty: CounterpartyCommitment | undefined;
}

export function fundingScopes(
  monitor: LdkChannelMonitor,
  context: ChannelContext,
  curve: Curve,
): { readonly locked: ImportedScope; readonly pending: readonly ImportedScope[] } {
  const { trailer, onchainTxHandler: handler } = monitor;
  const reader = new ScopeReader(monitor, context, curve);
  return {
    locked: reader.read({
      parameters: trailer.parameters ?? handler.parameters,
      counterpartyCommitmentTxid: present(
        monitor.counterpartyCommitmentTxid,
        "current_counterparty_commitment_txid",
      ),
      previousCounterpartyCommitmentTxid: monitor.previousCounterpartyCommitmentTxid,
      holderCommitment: handler.holderCommitment,
      previousHolderCommitment: handler.previousHolderCommitment,
      counterpartyHtlcs: (txid) =>
        monitor.counterpartyHtlcs.find(({ commitmentTxid }) => commitmentTxid === txid)?.htlcs,
    }),
    pending: (trailer.pendingFunding ?? []).map((scope) =>
      reader.read({
        ...scope,
        counterpartyHtlcs: (txid) => scope.counterpartyHtlcs.find(({ key }) => key === txid)?.value,
      }),
    ),
  };
}

interface LdkScope {
  readonly parameters: Parameters<typeof toParameters>[0];
  readonly counterpartyCommitmentTxid: Txid;
  readonly previousCounterpartyCommitmentTxid?: Txid | undefined;
  readonly holderCommitment: LdkHolderCommitment;
  readonly previousHolderCommitment?: LdkHolderCommitment | undefined;
  readonly counterpartyHtlcs: (txid: Txid) => readonly SourcedHtlc[] | undefined;
}

class ScopeReader {
  constructor(
    private readonly monitor: LdkChannelMonitor,
    private readonly context: ChannelContext,
    private readonly curve: Curve,
  ) {}

  read(scope: LdkScope): ImportedScope {
    const { holderTx, previousHolderTx } = this.monitor;
    const parameters = toParameters(scope.parameters, this.context);
    this.#checkPoints(parameters);
    const holder = holderOf(scope.holderCommitment, holderTx);
    const { previousHolderCommitment: before } = scope;
    const previousHolder =
      before === undefined || previousHolderTx === undefined
        ? undefined
        : holderOf(before, previousHolderTx);
    const basis = this.#basis(parameters, holder, previousHolder);
    return {
      now: {
        parameters,
        holderCommitment: holder,
        counterpartyCommitment: this.#current(scope, basis),
      },
      previousHolder,
      previousCounterparty: this.#previous(scope, basis),
    };
  }

  get #number(): CommitmentNumber {
    return toCommitmentNumber(this.monitor.counterpartyCommitmentNumber);
  }

  #basis(
    parameters: ChannelParameters,
    holder: HolderCommitment,
    previousHolder: HolderCommitment | undefined,
  ): ValueBasis {
    return {
      curve: this.curve,
      parameters,
      holderPaysFee: this.monitor.trailer.holderPaysCommitmentFee ?? parameters.holderIsOpener,
      holders: previousHolder === undefined ? [holder] : [holder, previousHolder],
      ...knownPreimages(this.monitor),
    };
  }

  #current(scope: LdkScope, basis: ValueBasis): CounterpartyCommitment {
    const { initialCounterpartyCommitment: first } = this.monitor.trailer;
    const unvalued = this.#unvalued(scope, scope.counterpartyCommitmentTxid, this.#number);
    // Of a new channel LDK keeps the values.
    if (this.#number === 0 && first !== undefined && isFirstFunding(this.monitor, basis)) {
      return {
        ...unvalued,
        feeratePerKw: readFeerate(first.feeratePerKw),
        toBroadcasterSat: readSat(first.toBroadcasterSat, "to_broadcaster_value_sat"),
        toCountersignatorySat: readSat(
          first.toCountersignatorySat,
          "to_countersignatory_value_sat",
        ),
      };
    }
    return (
      findValues(basis, unvalued) ??
      failImport("counterpartyValues", "no values fit the txid of the counterparty's commitment")
    );
  }

  #previous(scope: LdkScope, basis: ValueBasis): CounterpartyCommitment | undefined {
    const { previousCounterpartyCommitmentTxid: txid } = scope;
    if (txid === undefined) return undefined;
    if (this.#number === 0) return fail("malformed", "prev_counterparty_commitment_txid", "none");
    const unvalued = this.#unvalued(scope, txid, commitmentNumber(this.#number - 1));
    return (
      findValues(basis, unvalued) ??
      failImport("revocationPending", "no values fit the commitment that is not revoked yet")
    );
  }

  #unvalued(scope: LdkScope, txid: Txid, number: CommitmentNumber) {
    const htlcs = present(scope.counterpartyHtlcs(txid), "counterparty_claimable_outpoints");
    const perCommitmentPoint = this.#point(number);
    return {
      commitmentNumber: number,
      perCommitmentPoint,
      htlcs: toHtlcs(htlcs, "counterparty"),
      txid,
    };
  }

  /** LDK keeps the points of the current commitment and of the one before. */
  #point(number: CommitmentNumber): Uint8Array {
    const field = "their_cur_per_commitment_points";
    const { index, first, second } = present(this.monitor.counterpartyPoints, field);
    const firstNumber = toCommitmentNumber(index);
    const found = number === firstNumber ? first : number === firstNumber + 1 ? second : undefined;
    const point = Uint8Array.from(present(found, field));
    return this.curve.isPoint(point) ? point : fail("malformed", field, "not a point");
  }

  #checkPoints({ holderPubkeys, counterpartyPubkeys }: ChannelParameters): void {
    for (const keys of [holderPubkeys, counterpartyPubkeys]) {
      for (const [name, key] of Object.entries(keys)) {
        if (!this.curve.isPoint(key)) fail("malformed", name, "not a point on the curve");
      }
    }
  }
}

/** The HTLCs stand in the body, for the locked funding; another one has them at other outputs. */
function holderOf(ldk: LdkHolderCommitment, body: LdkHolderSignedTx): HolderCommitment {
  const htlcs = toHtlcs(body.htlcs, "holder");
  return toHolderCommitment(
    ldk,
    ldk.commitment.built.txid === body.txid ? htlcs : onNewFunding(htlcs, ldk.commitment, "holder"),
  );
}

/** What LDK keeps are the values on the funding the channel opened with. */
const isFirstFunding = (
  { trailer, funding }: LdkChannelMonitor,
  { parameters }: ValueBasis,
): boolean => (trailer.firstFunding ?? funding).txid === parameters.funding.txid;
