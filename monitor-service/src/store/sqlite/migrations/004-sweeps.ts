/**
 * Sweeps of our own outputs, one row each with its newest version. A row is kept when its sweep is over:
 * its number picks the address of a descriptor, and an address is used once.
 */
export const sweeps = `
CREATE TABLE sweep (
  row_id INTEGER PRIMARY KEY,
  is_over INTEGER NOT NULL,
  inputs TEXT NOT NULL,
  spends TEXT NOT NULL,
  destination_script BLOB NOT NULL,
  fee_sat INTEGER NOT NULL,
  feerate_per_kw INTEGER NOT NULL,
  locktime INTEGER NOT NULL,
  next_bump_at INTEGER NOT NULL,
  txids TEXT NOT NULL
) STRICT;

CREATE INDEX sweep_open ON sweep (row_id) WHERE is_over = 0;
`;
