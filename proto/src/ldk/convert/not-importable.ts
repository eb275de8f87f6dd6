/** Why a monitor of LDK cannot be taken over as it is; the causes stand in monitor-service/docs/ldk.md. */
import { WireError } from "../../convert/reader.js";
import { refuse } from "../../reasons.js";

export type ImportCause =
  /** The channel is closing, or closed. */
  | "closing"
  /** Another funding of a splice has confirmed and is not locked. */
  | "spliceConfirmed"
  /** No values fit the txid of the counterparty's commitment. */
  | "counterpartyValues"
  /** The same, of the one before, which is not revoked yet. */
  | "revocationPending";

export function failImport(cause: ImportCause, message: string): never {
  throw new WireError(refuse("notImportable", message, { cause }));
}
