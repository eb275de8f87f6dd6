/**
 * Why the engine does not do what a test asked for. A refused operation changes nothing: BOLT 2 would
 * have made the peer fail the channel.
 */
export type RefusalCode =
  | "closed"
  | "insufficientFunds"
  | "tooManyHtlcs"
  | "unknownHtlc"
  | "notCommitted"
  | "alreadyRemoved"
  | "wrongPreimage"
  | "badAmount"
  | "notOpener"
  | "feerateIsZero"
  | "nothingToSign"
  | "awaitingRevocation"
  | "revokeFirst"
  | "nothingToRevoke"
  | "nothingToReceive"
  | "outOfOrder"
  | "htlcsPending"
  | "noSuchCommitment"
  | "unknownFunding"
  | "notQuiet"
  | "trimmed"
  | "wrongDirection";

export class ChannelRefusal extends Error {
  override readonly name = "ChannelRefusal";
  constructor(
    readonly code: RefusalCode,
    what: string,
  ) {
    super(`${code}: ${what}`);
  }
}

/** Throws ChannelRefusal unless the condition holds. */
export function demand(condition: boolean, code: RefusalCode, what: string): asserts condition {
  if (!condition) throw new ChannelRefusal(code, what);
}
