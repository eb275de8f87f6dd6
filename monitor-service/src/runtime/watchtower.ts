/**
 * Watchtower helpers over the stored channel: commitments of the counterparty by number, txid or update,
 * and signed justice transactions. Reads only; nothing is stored or sent.
 */
import type { CounterpartyCommitment } from "@farwatch/protocol/channel";
import { must } from "@farwatch/protocol/assert";
import { outpointKey, type ChannelId, type CommitmentNumber } from "@farwatch/protocol/ids";
import { refuse, type Refusal } from "@farwatch/protocol/reasons";
import { err, ok, type Result } from "@farwatch/protocol/result";
import { confirmedScope } from "../monitor/scopes.js";
import {
  buildJustice,
  counterpartyCommitmentsInState,
  counterpartyTx,
  type CounterpartyTx,
} from "../monitor/watchtower.js";
import { findOwn } from "./channel-views.js";
import type { Core } from "./core.js";
import type { CommitmentName, JusticeCall, Principal, SignedJustice } from "./monitor-host.js";
import type { ChannelEntry } from "./monitors.js";
import { commitmentsIn } from "./stored-commitments.js";

/** Errors: those of findOwn; commitmentUnknown. */
export async function findCounterpartyTxs(
  core: Core,
  who: Principal,
  channelId: ChannelId,
  name: CommitmentName,
): Promise<Result<readonly CounterpartyTx[], Refusal>> {
  const found = findOwn(core, who, channelId);
  return found.ok ? find(core, found.value, name) : found;
}

async function find(
  core: Core,
  entry: ChannelEntry,
  name: CommitmentName,
): Promise<Result<readonly CounterpartyTx[], Refusal>> {
  const commitments = new Map(
    (await named(core, entry, name)).map((commitment) => [commitment.txid, commitment]),
  );
  const txs = [...commitments.values()].flatMap(
    (commitment) => counterpartyTx(core.context, entry.durable, commitment) ?? [],
  );
  if (txs.length > 0) return ok(txs);
  const details = { channel_id: entry.channelId };
  return err(refuse("commitmentUnknown", "no such counterparty commitment is stored", details));
}

async function named(
  core: Core,
  entry: ChannelEntry,
  name: CommitmentName,
): Promise<readonly CounterpartyCommitment[]> {
  const { store } = core.deps;
  const { headRowId, firstCounterpartyCommitments: first } = entry;
  const known = [...first, ...counterpartyCommitmentsInState(entry.durable)];
  switch (name.by) {
    case "txid": {
      const inMemory = known.filter(({ txid }) => txid === name.txid);
      if (inMemory.length > 0) return inMemory;
      const row = await store.findCounterpartyCommitment(headRowId, name.txid);
      return (await commitmentsIn(core, entry, row)).filter(({ txid }) => txid === name.txid);
    }
    case "update":
      return commitmentsIn(core, entry, await store.findUpdate(headRowId, name.updateId));
    case "number": {
      const inMemory = known.filter(({ commitmentNumber }) => commitmentNumber === name.number);
      return inMemory.length > 0 ? inMemory : byNumber(core, entry, name.number);
    }
  }
}

/** Numbers only rise along the log; a splice repeats the current one for its funding. */
async function byNumber(
  core: Core,
  entry: ChannelEntry,
  wanted: CommitmentNumber,
): Promise<readonly CounterpartyCommitment[]> {
  const found: CounterpartyCommitment[] = [];
  let rowId = entry.headRowId;
  while (rowId > 0) {
    const row = await core.deps.store.findAnyCommitment(rowId);
    if (row === undefined) return found;
    const commitments = await commitmentsIn(core, entry, row);
    if (commitments.some(({ commitmentNumber }) => commitmentNumber < wanted)) return found;
    found.push(...commitments.filter(({ commitmentNumber }) => commitmentNumber === wanted));
    rowId = row.prevRowId;
  }
  return found;
}

/**
 * Errors: as above, notRevoked, nothingToClaim; notYourChannel when somebody who is no admin wants it paid
 * elsewhere than the channel pays.
 */
export async function buildSignedJustice(
  core: Core,
  who: Principal,
  call: JusticeCall,
): Promise<Result<SignedJustice, Refusal>> {
  const entry = findOwn(core, who, call.channelId);
  if (!entry.ok) return entry;
  if (call.destinationScript !== undefined && !who.admin) {
    return err(refuse("notYourChannel", "only an admin may choose another destination"));
  }
  const found = await find(core, entry.value, call.commitment);
  if (!found.ok) return found;
  const { durable } = entry.value;
  const { channelKeysId, destinationScript } = durable.parameters;
  const chosen = onConfirmedFunding(entry.value, found.value);
  const built = buildJustice(core.context, durable, chosen, {
    feeratePerKw: call.feeratePerKw,
    destinationScript: call.destinationScript ?? destinationScript,
  });
  if (!built.ok) return built;
  const { task, finish, ...justice } = built.value;
  const [signature] = core.deps.signer.sign(channelKeysId, [task]);
  return ok({ ...justice, rawTx: finish(must(signature, "one signature")) });
}

/** Of the same commitment on several fundings the one that can confirm now. */
function onConfirmedFunding(
  { durable }: ChannelEntry,
  txs: readonly CounterpartyTx[],
): CounterpartyTx {
  const { funding } = confirmedScope(durable).parameters;
  const onIt = txs.find(
    ({ scope }) => outpointKey(scope.parameters.funding) === outpointKey(funding),
  );
  return onIt ?? must(txs[0], "at least one");
}
