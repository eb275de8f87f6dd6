/** Balances of a channel as short lines, and the sum a close must not lose. */
import { assertNever } from "@farwatch/protocol/assert";
import type { Balance } from "@farwatch/monitor-service/monitor/balances/balance";
import { claimableBalances } from "@farwatch/monitor-service/monitor/balances/claimable-balances";
import { bodiesOf } from "./event-rules.js";
import type { ProtectedChannel } from "./protected-channel.js";

const PREFIX: Readonly<Record<Balance["kind"], string>> = {
  claimableOnChannelClose: "close",
  claimableAwaitingConfirmations: "awaiting",
  contentiousClaimable: "contentious",
  maybeTimeoutClaimableHtlc: "timeout?",
  maybePreimageClaimableHtlc: "preimage?",
  counterpartyRevokedOutputClaimable: "revoked",
};

/** What the balance would be worth if everything in it ended well for us. */
export function atStakeSat(balance: Balance): bigint {
  return balance.kind === "claimableOnChannelClose"
    ? (balance.candidates.at(-1)?.amountSat ?? 0n)
    : balance.amountSat;
}

function line(balance: Balance): string {
  const head = `${PREFIX[balance.kind]} ${atStakeSat(balance)}`;
  switch (balance.kind) {
    case "claimableOnChannelClose":
      return `${head} fee ${balance.candidates.at(-1)?.transactionFeeSat}`;
    case "claimableAwaitingConfirmations":
      return `${head} @${balance.confirmationHeight} ${balance.source}`;
    case "contentiousClaimable":
      return `${head} @${balance.timeoutHeight}`;
    case "maybeTimeoutClaimableHtlc":
      return `${head} @${balance.claimableHeight}${balance.outboundPayment ? " own" : ""}`;
    case "maybePreimageClaimableHtlc":
      return `${head} @${balance.expiryHeight}`;
    case "counterpartyRevokedOutputClaimable":
      return head;
    default:
      return assertNever(balance);
  }
}

/** Sorted: the order of balances means nothing. */
export const balancesOf = (p: ProtectedChannel): readonly string[] =>
  claimableBalances(p.state).map(line).sort();

/** Everything open plus everything told as spendable: falls only by fees and by what we lose. */
export function accountedSat(p: ProtectedChannel): bigint {
  const told = bodiesOf(p.events, "spendableOutputs").flatMap(({ outputs }) => outputs);
  return (
    claimableBalances(p.state).reduce((sum, balance) => sum + atStakeSat(balance), 0n) +
    told.reduce((sum, { valueSat }) => sum + valueSat, 0n)
  );
}
