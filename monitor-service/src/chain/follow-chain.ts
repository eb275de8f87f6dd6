/**
 * PURE. From our last headers to a tip the source offers: where the two chains part, what to connect.
 * A generator that asks for headers by hash, so it runs the same against a node and a table. Every
 * header is checked before it counts, and a branch counts only by its work, never by its height.
 */
import { assert, must } from "@farwatch/protocol/assert";
import { blockHeight, type BlockHash, type BlockPoint } from "@farwatch/protocol/block";
import type { BlockHeader } from "./chain-source.js";
import { targetOf, workOf, type ChainName } from "./proof-of-work.js";
import { verifyHeader, verifyLink, type HeaderFault } from "./verify-header.js";

/**
 * Blocks. BOLT 5 counts an output as irrevocably resolved at this depth, so state older than it may be
 * gone: undoing more is not a decision for a program. Lower would stop on survivable reorgs.
 */
export const MAX_REORG_DEPTH = 100;
/** Headers the sink keeps: a day of blocks, and more than MAX_REORG_DEPTH. */
export const HEADER_RING_SIZE = 144;

export type FollowPlan =
  /** The candidate is our tip. */
  | { readonly kind: "upToDate" }
  /** The candidate has no more work than our tip: stay. */
  | { readonly kind: "keep"; readonly lessWork: boolean }
  | {
      readonly kind: "follow";
      /** The highest block in both chains; our tip when nothing is disconnected. */
      readonly forkPoint: BlockPoint;
      readonly disconnects: boolean;
      /** Oldest first; verified and linked to the fork point. Never empty. */
      readonly connect: readonly BlockHeader[];
    }
  /** More of our blocks would have to go than MAX_REORG_DEPTH, or than we remember. */
  | { readonly kind: "forkTooDeep"; readonly candidate: BlockPoint }
  /** The source lies or is broken: this header cannot be part of any chain we follow. */
  | { readonly kind: "invalid"; readonly hash: BlockHash; readonly fault: HeaderFault }
  /** The source does not know a block of the chain it offers (it may have just changed). */
  | { readonly kind: "headerMissing"; readonly hash: BlockHash };

/** Yields the hash of a header it needs; expects the source's answer back. */
export type FollowSearch = Generator<BlockHash, FollowPlan, BlockHeader | undefined>;

/** `ours`: verified, linked, newest first, at least one. `candidate`: a block of their best chain. */
export function* planFollow(
  ours: readonly BlockHeader[],
  candidate: BlockPoint,
  chain: ChainName,
): FollowSearch {
  const tip = must(ours[0], "at least one header of ours");
  if (candidate.hash === tip.hash) return { kind: "upToDate" };
  const byHash = new Map(ours.map((header) => [header.hash, header]));
  if (byHash.has(candidate.hash)) return { kind: "keep", lessWork: true };
  const oldest = must(ours.at(-1), "at least one header of ours").height;
  const lowestFork = Math.max(oldest, tip.height - MAX_REORG_DEPTH);

  const theirs: BlockHeader[] = [];
  let hash = candidate.hash;
  let fork = byHash.get(hash);
  for (let height: number = candidate.height; fork === undefined; height--) {
    if (height <= lowestFork) return tooDeep(tip, candidate, lowestFork);
    const claimed = yield hash;
    if (claimed === undefined) return { kind: "headerMissing", hash };
    const verified = verifyHeader({ ...claimed, height: blockHeight(height) }, hash, chain);
    if (!verified.ok) return { kind: "invalid", hash, fault: verified.error };
    theirs.push(verified.value);
    hash = verified.value.previousHash;
    fork = byHash.get(hash);
  }
  return decide(ours, fork, theirs.reverse(), lowestFork, chain);
}

/** A source far below us is behind (restarted, rescanning); it has not shown us another chain. */
function tooDeep(tip: BlockHeader, candidate: BlockPoint, lowestFork: number): FollowPlan {
  const behind = candidate.height < tip.height && candidate.height <= lowestFork;
  return behind ? { kind: "keep", lessWork: true } : { kind: "forkTooDeep", candidate };
}

/** Heights were counted down from the candidate's; here they are tied to ours. */
function decide(
  ours: readonly BlockHeader[],
  fork: BlockHeader,
  theirs: readonly BlockHeader[],
  lowestFork: number,
  chain: ChainName,
): FollowPlan {
  let previous = fork;
  for (const header of theirs) {
    const link = verifyLink(header, previous, chain);
    if (!link.ok) return { kind: "invalid", hash: header.hash, fault: link.error };
    previous = header;
  }
  assert(theirs.length > 0, "a candidate that is not ours has headers of its own");
  if (fork.height < lowestFork) return { kind: "forkTooDeep", candidate: pointOf(previous) };
  const lost = ours.filter((header) => header.height > fork.height);
  const gain = totalWork(theirs) - totalWork(lost);
  if (gain <= 0n) return { kind: "keep", lessWork: gain < 0n };
  return {
    kind: "follow",
    forkPoint: pointOf(fork),
    disconnects: lost.length > 0,
    connect: theirs,
  };
}

function totalWork(headers: readonly BlockHeader[]): bigint {
  return headers.reduce((sum, { bits }) => {
    const target = targetOf(bits);
    assert(target.ok, "a verified header has a valid target");
    return sum + workOf(target.value);
  }, 0n);
}

export const pointOf = ({ height, hash }: BlockHeader): BlockPoint => ({ height, hash });
