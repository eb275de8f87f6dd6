/** How to start a bitcoind that was found or fetched. */
export interface BitcoindProgram {
  readonly command: string;
  /** Goes before bitcoind's own arguments (the unpacked loader needs some). */
  readonly argsPrefix: readonly string[];
  readonly env: Readonly<Record<string, string>>;
}
