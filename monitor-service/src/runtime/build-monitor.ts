/**
 * The state of a new channel at this monitor's tip. When the channel was created at an older block, the
 * blocks since then are read again for it alone, so that a spend in them is not missed: those below our
 * headers by CatchUp, the rest here. Pure work and reads only: nothing is decided or written here.
 */
import type { BlockPoint } from "@farwatch/protocol/block";
import type { InitialState } from "@farwatch/protocol/channel";
import { must } from "@farwatch/protocol/assert";
import type { ImportedEvent } from "@farwatch/protocol/convert/imported-events";
import type { InitialStateHeader } from "@farwatch/protocol/envelope/initial-state";
import type { Opened } from "@farwatch/protocol/envelope/open-manager-batch";
import { updateId, type Hash32, type UpdateId } from "@farwatch/protocol/ids";
import { refuse, type Refusal } from "@farwatch/protocol/reasons";
import { err, ok, type Result } from "@farwatch/protocol/result";
import { genesisHash } from "@farwatch/protocol/envelope/update";
import { pointOf } from "../chain/follow-chain.js";
import { scanBlock } from "../chain/scan-block.js";
import { verifyBlock } from "../chain/verify-block.js";
import { createMonitor } from "../monitor/create.js";
import { revokedBeforeImport } from "../monitor/imported-commitment.js";
import { importEvents } from "../monitor/import-events.js";
import { connectAlone, startAlone, type Alone } from "./alone.js";
import type { CaughtUp } from "./catch-up.js";
import { tipOf, type Core } from "./core.js";
import { firstCommitmentsIn } from "./stored-commitments.js";
import { WatchIndex } from "./watch-index.js";

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
 * createMonitor, importEvents and CatchUp; chainBehind when the blocks cannot be read now. Throws when a block breaks
 * the channel.
 */
export async function buildMonitor(
  core: Core,
  { header, hash }: Pick<Opened<InitialStateHeader>, "header" | "hash">,
  initial: InitialState,
  imported: readonly ImportedEvent[] = [],
): Promise<Result<Alone, Refusal>> {
  const create = (best: BlockPoint): Result<Alone, Refusal> => {
    const holderFloor = core.deps.floors.floorOf(header.channelId);
    const created = createMonitor(core.context, initial, {
      ...genesisOf(header),
      best,
      holderFloor,
    });
    if (!created.ok) return created;
    const told = importEvents(core.context, created.value, imported);
    if (!told.ok) return told;
    return ok(startAlone(created.value, storedIn(initial), told.value));
  };
  const start = ownBlock(core, initial);
  if (start !== undefined) {
    const created = create(start);
    return created.ok ? toOurTip(core, { channel: created.value, at: start }) : created;
  }
  const best = must(initial.bestBlock, "a block that is not ours");
  const caughtUp = await core.catchUp.join({ key: hash, best, create });
  return caughtUp.ok ? toOurTip(core, caughtUp.value) : caughtUp;
}

function storedIn(initial: InitialState): Alone["stored"] {
  const first = new Map(firstCommitmentsIn(initial).map((each) => [each.txid, each]));
  const { ldkMonitor } = initial;
  return (txid, state) =>
    first.get(txid) ?? (ldkMonitor && revokedBeforeImport(state, ldkMonitor, txid));
}

/**
 * The node's best block, when it is one of our headers. A node whose best block is above our tip misses
 * nothing: we start lower.
 */
function ownBlock(core: Core, { bestBlock }: InitialState): BlockPoint | undefined {
  const tip = tipOf(core);
  if (bestBlock === undefined || bestBlock.height > tip.height) return tip;
  const header = core.headers.find(({ hash }) => hash === bestBlock.hash);
  return header === undefined ? undefined : pointOf(header);
}

async function toOurTip(core: Core, { channel, at }: CaughtUp): Promise<Result<Alone, Refusal>> {
  let alone = channel;
  const headers = core.headers.filter(({ height }) => height > at.height).reverse();
  for (const header of headers) {
    const raw = await core.deps.source.block(header.hash).catch(() => undefined);
    const block = raw === undefined ? undefined : verifyBlock(header, raw);
    if (block?.ok !== true) {
      return err(refuse("chainBehind", "the blocks since best_block cannot be read now"));
    }
    const index = new WatchIndex(ANY_SEED);
    index.add(ALONE, alone.now.state);
    const matches = scanBlock(block.value.raw, index.watch, block.value.txids);
    alone = connectAlone(
      core.context,
      alone,
      pointOf(header),
      matches.map((match) => match.raw),
    );
  }
  return ok(alone);
}

const ALONE = 0;
const ANY_SEED = 0;
