/**
 * Schema 2: the archive. An archived channel's rows stay where they are; a row here takes it out of
 * what a start loads (onchain-engine 16: "Archive = move, idempotent, keep data").
 */
export const archive = `
CREATE TABLE archive (
  channel_no INTEGER PRIMARY KEY,
  height INTEGER NOT NULL,
  head_row_id INTEGER NOT NULL,
  update_id INTEGER NOT NULL,
  update_hash TEXT NOT NULL
) STRICT;
`;
