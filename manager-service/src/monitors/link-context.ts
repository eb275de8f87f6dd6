/** What the parts of one connection share: who talks to whom, under which session, and how to end. */
import type { Session } from "./handshake.js";
import type { LinkOptions, LinkTimer } from "./link-options.js";
import type { LinkHost, LinkIdentity } from "./monitor-link.js";
import type { Rpc } from "./rpc.js";
import type { UpdateSigner } from "./sign-updates.js";

export interface LinkContext {
  readonly options: LinkOptions;
  readonly identity: LinkIdentity;
  readonly host: LinkHost;
  readonly rpc: Rpc;
  readonly signer: UpdateSigner;
  readonly session: Session;
  readonly isOver: () => boolean;
  /** Ends the connection; the first reason counts. */
  readonly fail: (error: unknown) => void;
  /** Runs a task of this connection; its failure ends the connection, its end is waited for. */
  readonly spawn: (task: () => Promise<void>) => void;
  /** Runs once after `ms` unless the connection ended before. */
  readonly later: (ms: number, run: () => void) => LinkTimer;
  readonly sawTip: (height: number) => void;
}
