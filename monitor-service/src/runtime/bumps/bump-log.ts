/** What the log says about a wallet's fees: each trouble once, and again only when it has changed. */
import type { ChannelId, Hash32 } from "@farwatch/protocol/ids";
import type { PublishRole } from "../../monitor/effect.js";
import type { HostLog } from "../deps.js";

/** What a line of the log is about. */
export interface BumpFacts {
  readonly channelId: ChannelId;
  readonly role: PublishRole;
  readonly bumpId: Hash32;
}

export class BumpLog {
  readonly #log: HostLog;
  /** By channel and bump: what was told last. */
  readonly #told = new Map<string, string>();

  constructor(log: HostLog) {
    this.#log = log;
  }

  waits(facts: BumpFacts, cause: string): void {
    if (this.#isNew(facts, cause)) this.#log.warn({ ...facts, cause }, "a fee is wanted");
  }

  out(facts: BumpFacts, details: Readonly<Record<string, unknown>>): void {
    if (this.#isNew(facts, JSON.stringify(details))) {
      this.#log.info({ ...facts, ...details }, "broadcast");
    }
  }

  /** About something that does not repeat. */
  warn(facts: Readonly<Record<string, unknown>>, message: string): void {
    this.#log.warn(facts, message);
  }

  forget(facts: Omit<BumpFacts, "role">): void {
    this.#told.delete(keyOf(facts));
  }

  #isNew(facts: BumpFacts, what: string): boolean {
    const key = keyOf(facts);
    if (this.#told.get(key) === what) return false;
    this.#told.set(key, what);
    return true;
  }
}

const keyOf = ({ channelId, bumpId }: Omit<BumpFacts, "role">): string => `${channelId} ${bumpId}`;
