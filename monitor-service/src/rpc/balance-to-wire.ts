/** Balances and archival as GetChannel tells them. Payment hashes, never preimages. */
import { fromHex } from "@farwatch/protocol/bytes";
import { assertNever } from "@farwatch/protocol/assert";
import {
  ArchivalHindrance,
  BalanceSource as WireSource,
  type Archival as WireArchival,
  type Balance as WireBalance,
  type ClaimableOnChannelClose as WireOnClose,
} from "@farwatch/protocol/gen/monitor/v1/monitor_service";
import type { PaymentHash } from "@farwatch/protocol/ids";
import type { Archival } from "../monitor/archival.js";
import type {
  Balance,
  BalanceSource,
  ClaimableOnChannelClose,
} from "../monitor/balances/balance.js";
import type { MonitorState } from "../monitor/state.js";
import type { ChannelView } from "../runtime/monitor-host.js";

const SOURCES: Readonly<Record<BalanceSource, WireSource>> = {
  holderForceClosed: WireSource.HOLDER_FORCE_CLOSED,
  counterpartyForceClosed: WireSource.COUNTERPARTY_FORCE_CLOSED,
  coopClose: WireSource.COOP_CLOSE,
  htlc: WireSource.HTLC,
};

const hashToWire = (hash: PaymentHash): Buffer => Buffer.from(fromHex(hash));

export function balanceToWire(balance: Balance): WireBalance {
  switch (balance.kind) {
    case "claimableOnChannelClose":
      return { kind: { $case: "onChannelClose", value: onCloseToWire(balance) } };
    case "claimableAwaitingConfirmations": {
      const { amountSat, confirmationHeight } = balance;
      const source = SOURCES[balance.source];
      const awaitingConfirmations = { amountSat, confirmationHeight, source };
      return { kind: { $case: "awaitingConfirmations", value: awaitingConfirmations } };
    }
    case "contentiousClaimable": {
      const { amountSat, timeoutHeight } = balance;
      const paymentHash = hashToWire(balance.paymentHash);
      return {
        kind: { $case: "contentious", value: { amountSat, timeoutHeight, paymentHash } },
      };
    }
    case "maybeTimeoutClaimableHtlc": {
      const { amountSat, claimableHeight, outboundPayment } = balance;
      const paymentHash = hashToWire(balance.paymentHash);
      const maybeTimeout = { amountSat, claimableHeight, paymentHash, outboundPayment };
      return { kind: { $case: "maybeTimeout", value: maybeTimeout } };
    }
    case "maybePreimageClaimableHtlc": {
      const { amountSat, expiryHeight } = balance;
      const paymentHash = hashToWire(balance.paymentHash);
      const maybePreimage = { amountSat, expiryHeight, paymentHash };
      return { kind: { $case: "maybePreimage", value: maybePreimage } };
    }
    case "counterpartyRevokedOutputClaimable": {
      const revokedOutput = { amountSat: balance.amountSat };
      return { kind: { $case: "revokedOutput", value: revokedOutput } };
    }
    default:
      return assertNever(balance);
  }
}

const onCloseToWire = (balance: ClaimableOnChannelClose): WireOnClose => ({
  candidates: balance.candidates.map(({ amountSat, transactionFeeSat }) => ({
    amountSat,
    transactionFeeSat,
  })),
  confirmedCandidate: balance.confirmedCandidate,
  outboundPaymentHtlcRoundedMsat: balance.outboundPaymentHtlcRoundedMsat,
  outboundForwardedHtlcRoundedMsat: balance.outboundForwardedHtlcRoundedMsat,
  inboundClaimingHtlcRoundedMsat: balance.inboundClaimingHtlcRoundedMsat,
  inboundHtlcRoundedMsat: balance.inboundHtlcRoundedMsat,
});

const HINDRANCES: Readonly<Record<Archival["kind"], ArchivalHindrance>> = {
  notClosed: ArchivalHindrance.NOT_CLOSED,
  openBalances: ArchivalHindrance.OPEN_BALANCES,
  unackedEvents: ArchivalHindrance.UNACKED_EVENTS,
  delay: ArchivalHindrance.DELAY,
  // The next block archives it.
  due: ArchivalHindrance.DELAY,
};

export function archivalToWire(
  { archivedAt, archival, halted }: Pick<ChannelView, "archivedAt" | "archival" | "halted">,
  state: Pick<MonitorState, "resolvedSince" | "best">,
): WireArchival {
  if (archivedAt !== undefined) {
    return {
      archived: true,
      archivedAtHeight: archivedAt,
      resolvedSince: state.resolvedSince,
      dueAtHeight: undefined,
      hindrance: ArchivalHindrance.UNSPECIFIED,
    };
  }
  return {
    archived: false,
    archivedAtHeight: undefined,
    resolvedSince: state.resolvedSince,
    dueAtHeight: halted ? undefined : dueAt(archival, state.best.height),
    hindrance: halted ? ArchivalHindrance.HALTED : HINDRANCES[archival.kind],
  };
}

function dueAt(archival: Archival, tip: number): number | undefined {
  if (archival.kind === "due") return tip + 1;
  return archival.kind === "delay" ? archival.dueAt : undefined;
}
