/**
 * Commitments on several fundings at once <-> wire. That on the locked funding comes first and names none,
 * every other one names its funding.
 */
import type { CommitmentOnFundings, CounterpartyCommitment, HolderCommitment } from "../channel.js";
import { unscoped } from "./commitment.js";
import { MAX_PENDING_FUNDINGS } from "./limits.js";
import { readOutpoint, writeOutpoint } from "./outpoint.js";
import { fail, present } from "./reader.js";

type Commitment = HolderCommitment | CounterpartyCommitment;
export interface Scoped {
  funding: Parameters<typeof readOutpoint>[0] | undefined;
}

export function readCommitments<W extends Scoped, C extends Commitment>(
  read: (message: W, field: string) => C,
  messages: readonly W[],
  field: string,
): CommitmentOnFundings<C> {
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
  { commitment, pending }: CommitmentOnFundings<C>,
): W[] => [
  write(commitment),
  ...pending.map((entry) => ({
    ...write(entry.commitment),
    funding: writeOutpoint(entry.funding),
  })),
];
