/** A recording that cannot be replayed; the message is for the person who asked for it. */
export class ReplayError extends Error {
  override readonly name = "ReplayError";
}
