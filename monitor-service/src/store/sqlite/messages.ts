/**
 * What passes between the store on the main thread and its worker. Plain data only: every value here
 * survives a structured clone.
 */
import type { ReadCall, ReadResult } from "./read-rows.js";
import type { WriteCall } from "./write-ops.js";

export interface WorkerOptions {
  readonly path: string;
  /** Genesis block hash, internal byte order, hex. */
  readonly chainHash: string;
  /** 16 random bytes as hex; used only when the store is created. */
  readonly newStoreId: string;
}

export type WorkerRequest =
  | { readonly kind: "transact"; readonly id: number; readonly calls: readonly WriteCall[] }
  | { readonly kind: "read"; readonly id: number; readonly call: ReadCall }
  | { readonly kind: "close" };

export type WorkerReply =
  | { readonly kind: "opened" }
  /** The files may not be opened by us; nothing was changed. */
  | { readonly kind: "unusable"; readonly message: string }
  /** These transactions are on disk. */
  | { readonly kind: "committed"; readonly ids: readonly number[] }
  | { readonly kind: "answer"; readonly id: number; readonly result: ReadResult }
  /** Final: the worker serves nothing more. */
  | { readonly kind: "failed"; readonly message: string }
  | { readonly kind: "closed" };
