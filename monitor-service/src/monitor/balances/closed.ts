/**
 * Balances of a channel whose funding output is spent by a commitment that is not revoked, or by a
 * cooperative close (onchain-engine 11). Amounts under our to_self_delay wait until that is over.
 */
import { must } from "@farwatch/protocol/assert";
import type { BlockHeight } from "@farwatch/protocol/block";
import { outpointKey } from "@farwatch/protocol/ids";
import { nonDustByOutput } from "../commitments.js";
import { matureAfterCsv, matureHeight } from "../chain/waiting.js";
import { spendView } from "../scopes.js";
import type { FundingSpend, MonitorState } from "../state.js";
import type { Balance } from "./balance.js";
import { awaitingHtlc, htlcBalance } from "./htlc.js";
import { maturingOutputs } from "./maturing.js";

/**
 * A mutual close, and every spend nobody can name. As in LDK our share of the newest commitment stands
 * for it: the true outputs are told as spendable at the same height.
 */
export function balancesOfMutualClose(
  state: MonitorState,
  spend: FundingSpend,
): readonly Balance[] {
  if (spend.final) return [];
  return [
    {
      kind: "claimableAwaitingConfirmations",
      amountSat: spendView(state).holder.toLocalSat,
      confirmationHeight: matureHeight(spend.block.height),
      source: "coopClose",
    },
  ];
}

/** Our own commitment: to_local, second stages under our delay, and HTLCs still open. */
export function balancesOfHolderClose(
  state: MonitorState,
  spend: FundingSpend,
): readonly Balance[] {
  const commitment = must(state.confirmedHolder, "kept when our commitment confirmed");
  const delayed = delayedByHtlc(state);
  const htlcs = nonDustByOutput(commitment.htlcs).map(({ htlc, outputIndex }) => ({
    htlc,
    maturesAt: delayed.get(outpointKey({ txid: spend.txid, vout: outputIndex })),
    outputIndex,
  }));
  const secondStages = htlcs.flatMap(({ htlc, maturesAt }) =>
    maturesAt === undefined ? [] : [awaitingHtlc(htlc, maturesAt)],
  );
  return [
    ...openHtlcs(state, (key) => !delayed.has(key)),
    ...secondStages,
    ...toLocal(state, spend),
  ];
}

/** The counterparty's current or previous commitment. */
export const balancesOfCounterpartyClose = (
  state: MonitorState,
  spend: FundingSpend,
): readonly Balance[] => [...toRemote(state, spend), ...openHtlcs(state, () => true)];

function openHtlcs(state: MonitorState, counts: (key: string) => boolean): readonly Balance[] {
  const ours = state.spend?.kind === "holder";
  return state.tracked.flatMap(({ outpoint, role }) =>
    role.kind === "htlc" && counts(outpointKey(outpoint))
      ? [htlcBalance(state, outpoint, role.htlc, role.htlc.offered === ours)]
      : [],
  );
}

/**
 * Until it is told as spendable, which no reorganisation takes back. A commitment that gives us nothing
 * is listed with 0 as long as it would take.
 */
function toLocal(state: MonitorState, spend: FundingSpend): readonly Balance[] {
  const { confirmedHolder, parameters, best } = state;
  const { toLocalSat } = must(confirmedHolder, "kept when our commitment confirmed");
  const delay = parameters.counterpartySelectedContestDelay;
  const confirmationHeight = matureAfterCsv(spend.block.height, delay);
  const waits =
    toLocalSat > 0n
      ? maturingOutputs(state).some(
          ({ txid, output }) => txid === spend.txid && output.output.kind === "delayedPayment",
        )
      : confirmationHeight > best.height;
  return waits
    ? [
        {
          kind: "claimableAwaitingConfirmations",
          amountSat: toLocalSat,
          confirmationHeight,
          source: "holderForceClosed",
        },
      ]
    : [];
}

/** Our output of the counterparty's commitment; it needs no claim, only depth. */
export function toRemote(state: MonitorState, spend: FundingSpend): readonly Balance[] {
  return maturingOutputs(state).flatMap(({ output, matureAt, txid }): readonly Balance[] =>
    output.output.kind === "staticPayment" && txid === spend.txid
      ? [
          {
            kind: "claimableAwaitingConfirmations",
            amountSat: output.valueSat,
            confirmationHeight: matureAt,
            source: "counterpartyForceClosed",
          },
        ]
      : [],
  );
}

/**
 * By HTLC outpoint, when the output of its second stage matures. Input and output are paired by index:
 * there is one of each, or the counterparty's signature binds them (SIGHASH_SINGLE).
 */
function delayedByHtlc(state: MonitorState): ReadonlyMap<string, BlockHeight> {
  return new Map(
    maturingOutputs(state).flatMap(({ output, matureAt, spends }) => {
      const htlc = spends[output.outpoint.vout];
      return output.output.kind === "delayedPayment" && htlc !== undefined
        ? [[outpointKey(htlc), matureAt] as const]
        : [];
    }),
  );
}
