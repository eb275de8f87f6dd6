/**
 * Transactions that a wallet paid for, signed. A few rows per closing channel, so they are keyed by what
 * they are for; a replacement takes the place of what it replaces.
 */
export const bumpTable = `
CREATE TABLE bump (
  channel_no INTEGER NOT NULL,
  bump_id TEXT NOT NULL,
  claim_id TEXT NOT NULL,
  feerate_per_kw INTEGER NOT NULL,
  raw BLOB NOT NULL,
  PRIMARY KEY (channel_no, bump_id)
) STRICT, WITHOUT ROWID;
`;
