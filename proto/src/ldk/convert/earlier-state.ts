/** What LDK's monitor of a channel in use knows besides the current commitments. */
import type {
  CommitmentOnFundings,
  CounterpartyCommitment,
  EarlierState,
  HolderCommitment,
} from "../../channel.js";
import type { LdkChannelMonitor } from "../monitor.js";
import { toReason } from "./fail-reason.js";
import type { ImportedScope } from "./funding-scopes.js";
import { fulfilledIn, preimagesIn } from "./known-preimages.js";
import { sourceKeyOf } from "./source.js";
import { unackedClaims } from "./unacked-events.js";

/** undefined: nothing. */
export function earlierState(
  monitor: LdkChannelMonitor,
  locked: ImportedScope,
  pending: readonly ImportedScope[],
): EarlierState | undefined {
  const onFundings = <C extends HolderCommitment | CounterpartyCommitment>(
    of: (scope: ImportedScope) => C | undefined,
  ): CommitmentOnFundings<C> | undefined => {
    const commitment = of(locked);
    return commitment === undefined
      ? undefined
      : {
          commitment,
          pending: pending.flatMap((scope) => {
            const other = of(scope);
            const { funding } = scope.now.parameters;
            return other === undefined ? [] : [{ funding, commitment: other }];
          }),
        };
  };
  const unacked = unackedClaims(monitor);
  const earlier = {
    previousHolder: onFundings(({ previousHolder }) => previousHolder),
    previousCounterparty: onFundings(({ previousCounterparty }) => previousCounterparty),
    preimages: preimagesIn(monitor),
    // What was not acked is told again, as an event; the rest the node knows.
    fulfilled: fulfilledIn(monitor).filter(({ sourceKey }) => !unacked.has(sourceKey)),
    failed: failedIn(monitor),
  };
  const isNothing = Object.values(earlier).every(
    (part) => part === undefined || (Array.isArray(part) && part.length === 0),
  );
  return isNothing ? undefined : earlier;
}

const failedIn = ({ trailer }: LdkChannelMonitor): EarlierState["failed"] =>
  (trailer.counterpartyFailed ?? [])
    .map(({ key, value }) => ({ sourceKey: sourceKeyOf(key), reason: toReason(value) }))
    .sort((a, b) => (a.sourceKey < b.sourceKey ? -1 : 1));
