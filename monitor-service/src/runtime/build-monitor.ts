/**
 * The state of a new channel at this monitor's tip. When the channel was created at an older block, the
 * blocks since then are read again for it alone, so that a spend in them is not missed. Pure work and
 * reads only: nothing is decided or written here.
 */
import type { InitialState } from "@farwatch/protocol/channel";
import type { InitialStateHeader } from "@farwatch/protocol/envelope/initial-state";
import { updateId, type Hash32, type UpdateId } from "@farwatch/protocol/ids";
import { refuse, type Refusal } from "@farwatch/protocol/reasons";
import { err, ok, type Result } from "@farwatch/protocol/result";
import { genesisHash } from "@farwatch/protocol/envelope/update";
import type { BlockHeader } from "../chain/chain-source.js";
import { pointOf } from "../chain/follow-chain.js";
import { OutpointIndex, TxidIndex } from "../chain/outpoint-index.js";
import { scanBlock, type Watch } from "../chain/scan-block.js";
import { verifyBlock } from "../chain/verify-block.js";
import { FLOOR_FEERATES } from "../monitor/constants.js";
import { createMonitor } from "../monitor/create.js";
import type { Transition } from "../monitor/effect.js";
import { watched } from "../monitor/outstanding.js";
import type { MonitorState } from "../monitor/state.js";
import { step } from "../monitor/step.js";
import { parseTx } from "../tx/parsed-tx.js";
import { tipOf, type Core } from "./core.js";
import { firstCommitmentsIn } from "./stored-commitments.js";

/** Where a channel's chain of updates starts: the id before the first, and the genesis hash. */
export const genesisOf = (
  header: InitialStateHeader,
): { readonly updateId: UpdateId; readonly updateHash: Hash32 } => ({
  updateId: updateId(header.firstUpdateId - 1n),
  updateHash: genesisHash({
    chainHash: header.chainHash,
    channelId: header.channelId,
    funding: header.funding,
    initialStateSha256: header.payloadSha256,
  }),
});

/**
 * The first state and the transition that leads from it to this monitor's tip. Errors: those of
 * createMonitor; chainBehind when the node's best block is not on our chain or too far below our tip,
 * or when the blocks cannot be read now.
 */
export async function buildMonitor(
  core: Core,
  header: InitialStateHeader,
  initial: InitialState,
): Promise<Result<{ readonly first: MonitorState; readonly now: Transition }, Refusal>> {
  const missed = missedHeaders(core, initial);
  if (missed === undefined) {
    const details = { tip_height: String(tipOf(core).height) };
    return err(
      refuse("chainBehind", "best_block is not among this monitor's last blocks", details),
    );
  }
  const best = missed.length === 0 ? tipOf(core) : (initial.bestBlock ?? tipOf(core));
  const holderFloor = core.deps.floors.floorOf(header.channelId);
  const args = { ...genesisOf(header), best, holderFloor };
  const created = createMonitor(core.context, initial, args);
  if (!created.ok) return created;
  const now = await rescan(core, initial, created.value, missed);
  return now === undefined
    ? err(refuse("chainBehind", "the blocks since best_block cannot be read now"))
    : ok({ first: created.value, now });
}

/** Oldest first. A node whose best block is above our tip misses nothing: we start lower. */
function missedHeaders(
  core: Core,
  { bestBlock }: InitialState,
): readonly BlockHeader[] | undefined {
  if (bestBlock === undefined || bestBlock.height > tipOf(core).height) return [];
  if (!core.headers.some(({ hash }) => hash === bestBlock.hash)) return undefined;
  return core.headers.filter(({ height }) => height > bestBlock.height).reverse();
}

async function rescan(
  core: Core,
  initial: InitialState,
  first: MonitorState,
  headers: readonly BlockHeader[],
): Promise<Transition | undefined> {
  const stored = new Map(firstCommitmentsIn(initial).map((first) => [first.txid, first]));
  let all: Transition = {
    state: first,
    events: [],
    relays: [],
    persist: true,
    afterClose: false,
  };
  for (const header of headers) {
    const raw = await core.deps.source.block(header.hash).catch(() => undefined);
    if (raw === undefined || !verifyBlock(header, raw).ok) return undefined;
    const matches = scanBlock(raw, watchOf(all.state));
    const result = step(core.context, all.state, {
      kind: "blockConnected",
      block: pointOf(header),
      transactions: matches.map((match) => parseTx(match.raw)),
      storedCommitments: stored,
      feerates: FLOOR_FEERATES,
    });
    if (!result.ok) return undefined;
    const { state, events, relays } = result.value;
    const joined = { events: [...all.events, ...events], relays: [...all.relays, ...relays] };
    all = { ...all, ...joined, state };
  }
  return all;
}

const ALONE = 0;
const ANY_SEED = 0;

function watchOf(state: MonitorState): Watch {
  const watch = { outpoints: new OutpointIndex(ANY_SEED), txids: new TxidIndex(ANY_SEED) };
  const { outpoints, txids } = watched(state);
  for (const outpoint of outpoints) watch.outpoints.add(outpoint, ALONE);
  for (const txid of txids) watch.txids.add(txid, ALONE);
  return watch;
}
