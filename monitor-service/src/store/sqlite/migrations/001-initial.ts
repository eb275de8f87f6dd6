/**
 * Schema 1. Every growing table is keyed by a rising integer, so an insert touches the last page only:
 * a key of (channel, number) would dirty one page per channel and commit (12 times slower at 1,000
 * channels). Identifiers are lowercase hex text; u64 values are stored as the signed integer with the
 * same 64 bits.
 */
export const initialSchema = `
CREATE TABLE epoch (
  manager_key TEXT PRIMARY KEY,
  epoch INTEGER NOT NULL,
  boot_nonce BLOB NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE channel (
  channel_no INTEGER PRIMARY KEY,
  channel_id TEXT NOT NULL UNIQUE,
  manager_key TEXT NOT NULL,
  header BLOB NOT NULL,
  payload BLOB NOT NULL,
  watch_hash TEXT NOT NULL
) STRICT;

CREATE TABLE log (
  row_id INTEGER PRIMARY KEY,
  channel_no INTEGER NOT NULL,
  prev_row_id INTEGER NOT NULL,
  kind TEXT NOT NULL CHECK (kind IN ('update', 'preimages', 'command')),
  update_id INTEGER NOT NULL,
  update_hash TEXT,
  counterparty_txid TEXT,
  batch_row_id INTEGER NOT NULL,
  header BLOB NOT NULL,
  payload BLOB NOT NULL
) STRICT;

CREATE TABLE batch (
  row_id INTEGER PRIMARY KEY,
  header BLOB NOT NULL,
  signature BLOB NOT NULL
) STRICT;

CREATE TABLE event (
  row_id INTEGER PRIMARY KEY,
  channel_no INTEGER NOT NULL,
  channel_id TEXT NOT NULL,
  event_id INTEGER NOT NULL,
  event_hash TEXT NOT NULL,
  subject_key TEXT NOT NULL,
  created_at_ms INTEGER NOT NULL,
  header BLOB NOT NULL,
  payload BLOB NOT NULL,
  signature BLOB NOT NULL
) STRICT;

CREATE TABLE snapshot (
  channel_no INTEGER PRIMARY KEY,
  log_row_id INTEGER NOT NULL,
  bytes BLOB NOT NULL
) STRICT;

CREATE TABLE event_head (
  channel_no INTEGER PRIMARY KEY,
  last_event_id INTEGER NOT NULL,
  last_event_hash TEXT NOT NULL
) STRICT;

CREATE TABLE halt (
  channel_no INTEGER PRIMARY KEY,
  incident TEXT NOT NULL,
  height INTEGER NOT NULL
) STRICT;

CREATE TABLE header (
  height INTEGER PRIMARY KEY,
  hash TEXT NOT NULL,
  raw BLOB NOT NULL
) STRICT;
`;
