/**
 * PORT: where swept outputs go. Sweeps are numbered from 1; a destination may give each its own script.
 */
export interface SweepDestination {
  /** Throws SweepDestinationInvalid, or ChainUnavailable: ask again. */
  script(sweepId: number): Promise<Uint8Array>;
}

/** Nothing can be paid there on this network. Says why, never what was configured. */
export class SweepDestinationInvalid extends Error {
  override readonly name = "SweepDestinationInvalid";
}
