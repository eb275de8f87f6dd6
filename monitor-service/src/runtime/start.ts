/**
 * Brings the shell up from its store: identity, headers, channels, outstanding transactions. Nothing is
 * served before it resolves. The caller then lets a ChainFollower drive `sink` and opens the RPC door.
 */
import { assert } from "@farwatch/protocol/assert";
import type { BumpItem } from "@farwatch/protocol/bump";
import { blockHeight, type BlockPoint } from "@farwatch/protocol/block";
import { keyOfSecret } from "@farwatch/protocol/envelope/sign";
import { monitorKey } from "@farwatch/protocol/ids";
import { ChainUnavailable, type BlockHeader } from "../chain/chain-source.js";
import { HEADER_RING_SIZE } from "../chain/follow-chain.js";
import type { ChainSink } from "../chain/follower.js";
import { storedHeader, verifyHeader } from "../chain/verify-header.js";
import { EventFeed } from "../outbox/event-feed.js";
import type { StoredState } from "../store/store.js";
import { Archive } from "./archive.js";
import { createChainSink } from "./chain-sink.js";
import { BumpBoard } from "./bumps/bump-board.js";
import { BumpBook } from "./bumps/bump-book.js";
import { claimRefused } from "./claim-refused.js";
import { CatchUp } from "./catch-up.js";
import { Commits } from "./commits.js";
import type { Core } from "./core.js";
import type { HostDeps } from "./deps.js";
import { createMonitorHost } from "./create-monitor-host.js";
import { writeDueSnapshots } from "./idle-snapshots.js";
import { REBROADCAST_MS } from "./limits.js";
import { loadChannels } from "./load-channels.js";
import type { MonitorHost } from "./monitor-host.js";
import { Monitors, type ChannelEntry } from "./monitors.js";
import { PenaltyLookups } from "./penalty/penalty-lookups.js";
import { Publisher } from "./publisher.js";
import { runStep } from "./run-step.js";
import { Sweeper } from "./sweeper.js";

export interface RunningHost {
  readonly host: MonitorHost;
  /** For the chain follower. */
  readonly sink: ChainSink;
  /** Idle work; call when nothing is waiting. Returns how many snapshots were written. */
  maintain(): Promise<number>;
  /** Resolves when every outstanding transaction known now has been offered to the chain source. */
  published(): Promise<void>;
  /** Ends streams and publishing; the store stays open and is the caller's to close. */
  stop(): Promise<void>;
}

/** Throws StoreFailure, or ChainUnavailable when a new store cannot learn its first headers. */
export async function startMonitorHost(deps: HostDeps): Promise<RunningHost> {
  const stored = await deps.store.load();
  assert(stored.chainHash === deps.chainHash, "the store is of this network");
  const core = createCore(deps, stored);
  core.headers = stored.headers.map(({ raw, height }) => storedHeader(raw, height));
  if (core.headers.length === 0) await firstHeaders(core);
  await loadChannels(core, stored);
  core.publisher.announceAll(core.monitors.full());
  core.lookups.requestAll();
  return {
    host: createMonitorHost(core),
    sink: createChainSink(core),
    maintain: () => {
      if (deps.chainState() === "synced") offerAgain(core);
      return writeDueSnapshots(core);
    },
    published: async () => {
      await core.lookups.idle();
      await core.publisher.idle();
      await core.sweeper?.idle();
    },
    stop: async () => {
      core.feed.stop();
      await core.catchUp.stop();
      await core.lookups.stop();
      await core.sweeper?.stop();
      await core.publisher.stop();
    },
  };
}

/** What failed at once, everything outstanding from time to time. */
function offerAgain(core: Core): void {
  core.publisher.retryFailed();
  core.lookups.requestAll();
  const now = core.deps.nowMs();
  if (now - core.offeredAtMs < REBROADCAST_MS) return;
  core.offeredAtMs = now;
  core.publisher.rebroadcast(core.monitors.all());
}

const SEED_BYTES = 4;

function createCore(deps: HostDeps, stored: StoredState): Core {
  const { curve, chainHash, monitorSecret, signer, source, log } = deps;
  const key = monitorKey(keyOfSecret(curve, monitorSecret));
  const own = { monitorKey: key, storeId: stored.storeId, chainHash };
  const context = { curve, maxFeerate: deps.maxFeerate };
  const seed = new DataView(Uint8Array.from(deps.randomBytes(SEED_BYTES)).buffer).getUint32(0);
  const monitors = new Monitors(seed);
  const commits = new Commits(deps.store, (error) => deps.onFatal(error), deps.failpoint);
  const book = new BumpBook((ops) => commits.append(ops), stored.bumps);
  const board = new BumpBoard();
  const core: Core = {
    deps,
    context,
    own,
    storeGen: stored.storeGen,
    sealer: {
      ...own,
      curve,
      monitorSecret,
      nowMs: () => deps.nowMs(),
      randomBytes: (length) => deps.randomBytes(length),
    },
    monitors,
    archive: new Archive(),
    commits,
    feed: new EventFeed(monitors, board),
    catchUp: new CatchUp({
      source,
      chain: deps.chain,
      context,
      log,
      ring: () => core.headers,
      nowMs: () => deps.nowMs(),
    }),
    publisher: new Publisher({
      context,
      signer,
      source,
      log,
      wallet: deps.feeWallet,
      book,
      announce:
        deps.asksManagers === true
          ? (entry, items) => announce(core, board, entry, items)
          : undefined,
      claimRefused: (entry, publish, reason) => claimRefused(core, entry, publish, reason),
    }),
    lookups: new PenaltyLookups(() => core),
    sweeper: undefined,
    sweeps: new Map(stored.sweeps.map((sweep) => [sweep.id, sweep])),
    offeredAtMs: deps.nowMs(),
    rows: { ...stored.nextRowIds },
    epochs: new Map(stored.epochs.map((row) => [row.managerKey, row])),
    headers: [],
  };
  if (deps.sweep !== undefined) core.sweeper = new Sweeper(core, deps.sweep);
  return core;
}

function announce(
  core: Core,
  board: BumpBoard,
  entry: ChannelEntry,
  items: readonly BumpItem[],
): void {
  if (board.put(entry, items)) core.feed.news(entry.managerKey, entry.channelId);
}

/** A new store takes the source's last headers: enough to follow a reorganisation at once. */
async function firstHeaders(core: Core): Promise<void> {
  const tip = await core.deps.source.tip();
  const headers: BlockHeader[] = [];
  let { hash } = tip;
  const lowest = Math.max(0, tip.height - HEADER_RING_SIZE + 1);
  for (let height: number = tip.height; height >= lowest; height--) {
    const header = await verifiedHeader(core, { hash, height: blockHeight(height) });
    headers.push(header);
    hash = header.previousHash;
  }
  core.headers = headers;
  await runStep(core, (draft) => {
    for (const { height, hash: of, raw } of headers) {
      draft.write({ op: "putHeader", row: { height, hash: of, raw } });
    }
  });
}

async function verifiedHeader(core: Core, point: BlockPoint): Promise<BlockHeader> {
  const claimed = await core.deps.source.header(point.hash);
  if (claimed === undefined) throw new ChainUnavailable("the source does not know its own block");
  const header = verifyHeader({ ...claimed, height: point.height }, point.hash, core.deps.chain);
  if (!header.ok) throw new ChainUnavailable(`the source shows a bad header: ${header.error}`);
  return header.value;
}
