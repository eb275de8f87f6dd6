/**
 * Steps of splices <-> wire: commitments on several fundings at once, and a new pending funding. The
 * commitment on the locked funding comes first and names none; every other one names its funding.
 */
import type { CounterpartyCommitment, HolderCommitment, PendingCommitment } from "../channel.js";
import type { UpdateStep } from "../update.js";
import type * as wire from "../../gen/monitor/v1/update.js";
import { readFunding, readOutpoint, writeFunding, writeOutpoint } from "./channel.js";
import { unscoped } from "./commitment.js";
import { MAX_PENDING_FUNDINGS } from "./limits.js";
import { fail, present } from "./reader.js";

type Renegotiated = Extract<UpdateStep, { kind: "renegotiatedFunding" }>;
type Commitment = HolderCommitment | CounterpartyCommitment;
interface Scoped {
  funding: Parameters<typeof readOutpoint>[0] | undefined;
}
interface AllFundings<C extends Commitment> {
  readonly commitment: C;
  readonly pending: readonly PendingCommitment<C>[];
}

export function readCommitments<W extends Scoped, C extends Commitment>(
  read: (message: W, field: string) => C,
  messages: readonly W[],
  field: string,
): AllFundings<C> {
  const [locked, ...pending] = messages;
  if (pending.length > MAX_PENDING_FUNDINGS) {
    fail("tooLarge", field, `more than ${MAX_PENDING_FUNDINGS} pending fundings`);
  }
  return {
    commitment: unscoped(read, present(locked, field), `${field}[0]`),
    pending: pending.map((message, index) => {
      const at = `${field}[${index + 1}]`;
      const funding = readOutpoint(present(message.funding, `${at}.funding`), `${at}.funding`);
      return { funding, commitment: read(message, at) };
    }),
  };
}

export const writeCommitments = <W extends Scoped, C extends Commitment>(
  write: (commitment: C) => W,
  { commitment, pending }: AllFundings<C>,
): W[] => [
  write(commitment),
  ...pending.map((entry) => ({
    ...write(entry.commitment),
    funding: writeOutpoint(entry.funding),
  })),
];

export const readRenegotiatedFunding = (
  message: wire.RenegotiatedFunding,
  field: string,
): Renegotiated => ({ kind: "renegotiatedFunding", ...readFunding(message, `${field}.`) });

export const writeRenegotiatedFunding = (step: Renegotiated): wire.RenegotiatedFunding =>
  writeFunding(step);
