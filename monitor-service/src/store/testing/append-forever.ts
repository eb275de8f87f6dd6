/**
 * Child process of the kill test: appends log rows with many transactions under way and prints each
 * row id once its promise resolved. It never ends by itself.
 * Arguments: database path, chain hash.
 */
import { writeSync } from "node:fs";
import { randomBytes } from "node:crypto";
import { must } from "@farwatch/protocol/assert";
import { openSqliteStore } from "../sqlite/sqlite-store.js";
import { logRow } from "./rows.js";

const STDOUT = 1;
const UNDER_WAY = 32;

const [path, chainHash] = process.argv.slice(2);
const store = await openSqliteStore({
  path: must(path, "path"),
  chainHash: must(chainHash, "chain hash"),
  randomBytes,
});
let next = (await store.load()).nextRowIds.log;

async function appendForever(): Promise<never> {
  for (;;) {
    const rowId = next++;
    await store.transact([{ op: "appendLog", row: logRow({ rowId }) }]);
    writeSync(STDOUT, `${rowId}\n`);
  }
}

await Promise.all(Array.from({ length: UNDER_WAY }, appendForever));
