/**
 * Child process of the kill test: appends rows with many transactions under way and prints each number
 * once its promise resolved. It never ends by itself. Arguments: file, chain hash, manager key.
 */
import { writeSync } from "node:fs";
import { must } from "@farwatch/protocol/assert";
import { managerKey } from "@farwatch/protocol/ids";
import { openManagerStore } from "../sqlite/sqlite-store.js";

const STDOUT = 1;
const UNDER_WAY = 32;
const KEY_DIGITS = 10;

const [file, chainHash, key] = process.argv.slice(2);
const store = await openManagerStore({
  file: must(file, "file"),
  chainHash: must(chainHash, "chain hash"),
  managerKey: managerKey(must(key, "manager key")),
});
const { rows } = await store.load();
let next = rows.item.length;

async function appendForever(): Promise<never> {
  for (;;) {
    const number = next++;
    const rowKey = String(number).padStart(KEY_DIGITS, "0");
    const value = new TextEncoder().encode(rowKey);
    await store.transact([
      { table: "item", key: rowKey, value },
      { table: "update", key: rowKey, value },
    ]);
    writeSync(STDOUT, `${number + 1}\n`);
  }
}

await Promise.all(Array.from({ length: UNDER_WAY }, appendForever));
