/**
 * The one table of refusal reasons (architecture 3.7, contract 2.21): what the wire says, and what
 * the caller does about it. A repeated update or WatchChannel with the same bytes is answered as
 * success and so has no reason here. Messages and details are for logs too: never a secret in them.
 */

/** Names of gRPC status codes, as the gRPC documentation spells them. */
export type GrpcCodeName =
  | "INVALID_ARGUMENT"
  | "DEADLINE_EXCEEDED"
  | "NOT_FOUND"
  | "ALREADY_EXISTS"
  | "PERMISSION_DENIED"
  | "RESOURCE_EXHAUSTED"
  | "FAILED_PRECONDITION"
  | "ABORTED"
  | "UNIMPLEMENTED"
  | "INTERNAL"
  | "UNAVAILABLE"
  | "DATA_LOSS"
  | "UNAUTHENTICATED";

/**
 * never: these bytes are never accepted. afterFix: not before something else was done or decided.
 * fromExpected: redo the sequence from details.expected_update_id. sameBytes: later, unchanged.
 */
export type RetryRule = "never" | "afterFix" | "fromExpected" | "sameBytes";

export interface ReasonRow {
  readonly grpc: GrpcCodeName;
  readonly retry: RetryRule;
  readonly callerDoes: string;
}

const row = (grpc: GrpcCodeName, retry: RetryRule, callerDoes: string): ReasonRow => ({
  grpc,
  retry,
  callerDoes,
});
const ourBug = row("INVALID_ARGUMENT", "never", "stop; the sender has a bug");
const stopChannel = row("INVALID_ARGUMENT", "never", "stop the channel; alert");
const stopAndAlert = row("FAILED_PRECONDITION", "never", "stop; alert");
const backOff = row("RESOURCE_EXHAUSTED", "sameBytes", "back off, then send the same bytes");
const tryLater = row("UNAVAILABLE", "sameBytes", "retry with the same bytes");

export const REASONS = {
  malformed: ourBug,
  unknownStep: ourBug,
  wrongLength: ourBug,
  /** A number outside its domain, although its encoding can hold it. */
  rangeExceeded: ourBug,
  unknownRole: ourBug,
  /** A secret that does not open its commitment point. */
  invalidSecret: stopChannel,
  invalidCommitmentSignature: stopChannel,
  /** SHA256(preimage) is not the payment hash it came with. */
  preimageMismatch: stopChannel,

  signatureMissing: row("UNAUTHENTICATED", "never", "stop; alert"),
  signatureInvalid: row("UNAUTHENTICATED", "never", "stop; alert"),
  notYourChannel: row("PERMISSION_DENIED", "never", "stop; alert"),

  channelUnknown: row("NOT_FOUND", "afterFix", "WatchChannel first, if its first state is held"),
  /** With another first state; the same one again is answered as success. */
  alreadyWatched: row("ALREADY_EXISTS", "never", "stop; alert: two managers"),
  updateGap: row("ABORTED", "fromExpected", "resend from expected_update_id"),
  /** The same id with other bytes, or a predecessor that is not ours. */
  updateConflict: row("FAILED_PRECONDITION", "never", "stop the channel; alert: split brain"),
  /** A step or a call that this kind of channel does not know: one with keys, or one of penalties only. */
  wrongChannelKind: row("FAILED_PRECONDITION", "never", "stop; the sender has a bug"),
  noFurtherUpdates: row("FAILED_PRECONDITION", "never", "treat the channel as closed"),
  /** Resolved on chain long ago; preimages are still stored, nothing else changes any more. */
  channelArchived: row("FAILED_PRECONDITION", "never", "treat the channel as closed and settled"),
  /** No commitment of that name, or one whose funding was spliced away. */
  commitmentUnknown: row("NOT_FOUND", "afterFix", "name another commitment"),
  notRevoked: row("FAILED_PRECONDITION", "afterFix", "ask again once its secret was given"),
  /** The output does not exist, or is worth less than its claim. */
  nothingToClaim: row("FAILED_PRECONDITION", "afterFix", "ask with a lower feerate, or not at all"),
  /** No open request has this claim_id: it has ended, or never was. */
  claimUnknown: row("NOT_FOUND", "afterFix", "wait for the next request of the channel"),
  /** What a wallet funded may not be signed; details.fault names why. */
  fundingRefused: row("FAILED_PRECONDITION", "afterFix", "fund it anew as the request says"),
  /** bitcoind did not take the transaction, and nothing changed; details.cause names why. */
  notRelayed: row(
    "FAILED_PRECONDITION",
    "afterFix",
    "fund it anew, with a higher fee or other coins",
  ),
  /** The host's configuration does not offer this. */
  notConfigured: row("FAILED_PRECONDITION", "never", "change the host's configuration"),
  streamReplaced: row("ABORTED", "afterFix", "leave it to the newer stream"),

  fenced: stopAndAlert,
  /** A batch of an epoch that no OpenSession has announced. */
  sessionNotOpen: row("FAILED_PRECONDITION", "afterFix", "OpenSession, then the same bytes"),
  /** Addressed to another monitor key or store id. */
  otherStore: stopAndAlert,
  otherNetwork: stopAndAlert,
  nodeBehind: stopAndAlert,
  /** The manager's database is older than a monitor's store: it was restored from a backup. */
  managerBehind: row(
    "FAILED_PRECONDITION",
    "afterFix",
    "OpenNodeSession naming the newest updates, then send them again; or close the channel",
  ),
  /** A monitor's store is older than what it told durable. */
  monitorBehind: row("FAILED_PRECONDITION", "afterFix", "nothing: it is sent what it lacks; alert"),
  htlcCommitted: stopAndAlert,
  duplicateForward: stopAndAlert,
  keysMismatch: stopAndAlert,
  unsupportedChannelType: stopAndAlert,
  /** A first state out of LDK's monitor that cannot be taken over as it is; details.cause names why. */
  notImportable: row(
    "FAILED_PRECONDITION",
    "afterFix",
    "let the old monitor go on until the cause is gone, then import",
  ),
  /** A claimed entry names no HTLC of the commitment; its preimage was kept as a record. */
  claimNotFound: stopAndAlert,
  /** The only commitment held is older than one told durable; overriding would lose the channel. */
  holderRevoked: row("FAILED_PRECONDITION", "afterFix", "send the missing updates first; alert"),
  staleSuspected: row("FAILED_PRECONDITION", "afterFix", "a person decides whether to override"),

  monitorQuarantined: row("UNAVAILABLE", "sameBytes", "wait; alert"),
  /** There is no session with the monitor that must do it; details.cause says why, where it is known. */
  monitorUnreachable: tryLater,
  storeUnavailable: tryLater,
  chainBehind: tryLater,
  starting: tryLater,
  stopping: tryLater,

  tooLarge: row("RESOURCE_EXHAUSTED", "afterFix", "send less at once"),
  tooManyInFlight: backOff,
  tooManyChannels: row("RESOURCE_EXHAUSTED", "afterFix", "back off; alert"),

  deadlineExceeded: row("DEADLINE_EXCEEDED", "sameBytes", "unknown outcome: resend, ids are safe"),
  unimplemented: row("UNIMPLEMENTED", "never", "do not use this part of the schema yet"),
  channelHalted: row("INTERNAL", "never", "stop the channel; alert"),
  assertion: row("INTERNAL", "never", "stop the channel; alert"),
  storedStateUnreadable: row("DATA_LOSS", "never", "alert a person"),
} as const satisfies Readonly<Record<string, ReasonRow>>;

export type Reason = keyof typeof REASONS;

export const isReason = (text: string): text is Reason => Object.hasOwn(REASONS, text);

/** Wrong or untimely input, as a value. Nothing was changed by it. */
export interface Refusal {
  readonly reason: Reason;
  readonly message: string;
  /** Facts by name (field, channel_id, expected_update_id, limit, current_epoch): decimal or hex. */
  readonly details: Readonly<Record<string, string>>;
}

export const refuse = (
  reason: Reason,
  message: string,
  details: Readonly<Record<string, string>> = {},
): Refusal => ({ reason, message, details });
