/**
 * Where a penalty-only channel's transaction for a commitment stands in the log. Keyed by what a block shows:
 * the first 8 bytes of the commitment's txid. A key of 32 bytes would make the table three times as large and
 * tells no more: rows are looked into. The channel stands in it so that rows of one cannot hide another's.
 */
export const penalties = `
CREATE TABLE penalty (
  txid_head INTEGER NOT NULL,
  channel_no INTEGER NOT NULL,
  log_row_id INTEGER NOT NULL,
  PRIMARY KEY (txid_head, channel_no, log_row_id)
) STRICT, WITHOUT ROWID;
`;
