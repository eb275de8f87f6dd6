/**
 * Is it next? Then it is recorded, with the payment parts it brings, before it is sent anywhere. The
 * node alone numbers updates (contract 2.1); the same id with other bytes freezes the channel.
 */
import { equalBytes } from "@farwatch/protocol/bytes";
import { hashOfPreimage, updateId } from "@farwatch/protocol/ids";
import { refuse, type Refusal } from "@farwatch/protocol/reasons";
import { err, ok, type Result } from "@farwatch/protocol/result";
import type { UpdateStep } from "@farwatch/protocol/update";
import type { ManagerInput } from "../input.js";
import { addParts, partsLeft } from "../payments/outbound.js";
import type { ChannelRow } from "../rows.js";
import { channelOf, tell, type Work } from "../work.js";
import { semanticKeys } from "../user-event.js";
import { viewOf } from "./accept-watch.js";

export type UpdateOffered = Extract<ManagerInput, { kind: "updateOffered" }>;

/** The shell has answered replays and conflicts below the head from the stored rows. */
export function acceptUpdate(work: Work, offered: UpdateOffered): Result<void, Refusal> {
  const row = work.draft.channel.get(offered.channelId);
  if (row === undefined) return err(refuse("channelUnknown", "watch the channel first"));
  if (row.nodeKey !== offered.nodeKey) {
    return err(refuse("notYourChannel", "another node watches this channel"));
  }
  if (row.frozen !== undefined) return err(refuse("channelHalted", row.frozen));
  const expected = updateId(row.acceptedId + 1n);
  if (offered.updateId !== expected) {
    return err(
      refuse("updateGap", "not the next update", { expected_update_id: String(expected) }),
    );
  }
  for (const [index, step] of offered.steps.entries()) {
    const applied = applyStep(work, offered, step, `steps[${index}]`);
    if (!applied.ok) return applied;
  }
  work.draft.channel.put(offered.channelId, {
    ...channelOf(work, offered.channelId),
    acceptedId: offered.updateId,
    headHash: offered.updateHash,
  });
  const { channelId, updateId: id, updateHash, header, payload } = offered;
  const update = { channelId, updateId: id, updateHash, header, payload };
  work.draft.appendUpdate(update);
  work.effects.push(
    { kind: "accepted", nodeKey: row.nodeKey, channelId, updateId: id, updateHash },
    { kind: "sendUpdate", update },
  );
  return ok(undefined);
}

function applyStep(
  work: Work,
  offered: UpdateOffered,
  step: UpdateStep,
  field: string,
): Result<void, Refusal> {
  const row = channelOf(work, offered.channelId);
  switch (step.kind) {
    case "latestHolderCommitment":
      return applyHolder(work, row, step, field);
    case "latestCounterpartyCommitment": {
      const { commitment } = step;
      if (commitment.commitmentNumber !== row.counterparty.number + 1) {
        return err(notNext(field, row.counterparty.number + 1));
      }
      if (row.counterpartyPrevious !== undefined) {
        return err(
          refuse("malformed", "the previous counterparty commitment is not revoked yet", { field }),
        );
      }
      const added = addParts(work, row, commitment.htlcs, field);
      if (!added.ok) return added;
      work.draft.channel.put(row.channelId, {
        ...row,
        counterparty: viewOf(commitment),
        counterpartyPrevious: row.counterparty,
      });
      return ok(undefined);
    }
    case "commitmentSecret":
      return applySecret(work, row, step, field);
    case "paymentPreimage":
    case "channelForceClosed":
    case "shutdownScript":
      return ok(undefined);
  }
}

const notNext = (field: string, expected: number): Refusal =>
  refuse("malformed", "not the next commitment", {
    field: `${field}.commitment_number`,
    expected: String(expected),
  });

/** A claimed entry must name an HTLC we know by its source, and open its hash (contract 2.12). */
function applyHolder(
  work: Work,
  row: ChannelRow,
  step: Extract<UpdateStep, { kind: "latestHolderCommitment" }>,
  field: string,
): Result<void, Refusal> {
  const number = step.commitment.commitmentNumber;
  if (number !== row.holderNumber + 1) return err(notNext(field, row.holderNumber + 1));
  const known = [...row.counterparty.outbound, ...(row.counterpartyPrevious?.outbound ?? [])];
  for (const [index, claimed] of step.claimed.entries()) {
    const htlc = known.find(({ sourceKey }) => sourceKey === claimed.sourceKey);
    if (htlc?.paymentHash !== hashOfPreimage(claimed.preimage)) {
      return err(
        refuse("preimageMismatch", "a claimed entry names no HTLC that its preimage opens", {
          field: `${field}.claimed_htlcs[${index}]`,
        }),
      );
    }
  }
  work.draft.channel.put(row.channelId, { ...row, holderNumber: number });
  return ok(undefined);
}

function applySecret(
  work: Work,
  row: ChannelRow,
  step: Extract<UpdateStep, { kind: "commitmentSecret" }>,
  field: string,
): Result<void, Refusal> {
  const revoked = row.counterpartyPrevious;
  if (revoked?.number !== step.commitmentNumber) {
    return err(refuse("malformed", "no un-revoked previous commitment of that number", { field }));
  }
  const { curve } = work;
  if (!curve.isSecret(step.secret) || !equalBytes(curve.publicKey(step.secret), revoked.point)) {
    return err(
      refuse("invalidSecret", "the secret does not open the commitment's point", { field }),
    );
  }
  work.draft.channel.put(row.channelId, { ...row, counterpartyPrevious: undefined });
  partsLeft(work, row, revoked.outbound);
  return ok(undefined);
}

/** Nothing more is accepted on the channel; a person must look. */
export function freeze(work: Work, row: ChannelRow, why: string): void {
  if (row.frozen !== undefined) return;
  work.draft.channel.put(row.channelId, { ...row, frozen: why });
  tell(work, row.nodeKey, semanticKeys.alarm("channelFrozen", row.channelId), {
    kind: "alarm",
    code: "channelFrozen",
    text: why,
    channelId: row.channelId,
  });
}
