import assert from "node:assert/strict";
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { toHex } from "@farwatch/protocol/bytes";
import { SecretFileError } from "./secret-file.js";
import { readSeedFile } from "./seed-file.js";

describe("seed file", () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "farwatch-seed-"));
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));
  const seed = Uint8Array.from({ length: 32 }, (_, index) => index);
  const file = (content: string | Uint8Array, mode = 0o600): string => {
    const path = join(folder, "seed");
    writeFileSync(path, content);
    chmodSync(path, mode);
    return path;
  };

  it("holds 32 raw bytes", () => {
    assert.deepEqual(readSeedFile(file(seed)), seed);
  });

  for (const end of ["", "\n", "\r\n"]) {
    it(`holds 64 hex characters ended by ${JSON.stringify(end)}`, () => {
      assert.deepEqual(readSeedFile(file(toHex(seed).toUpperCase() + end)), seed);
    });
  }

  for (const mode of [0o640, 0o604, 0o620]) {
    it(`is refused with mode ${mode.toString(8)}`, () => {
      assert.throws(() => readSeedFile(file(seed, mode)), SecretFileError);
    });
  }

  for (const content of [
    "",
    "ab",
    "z".repeat(64),
    "a".repeat(63),
    "a".repeat(65),
    "a".repeat(70),
  ]) {
    it(`is refused with ${content.length} characters '${content.slice(0, 2)}'`, () => {
      assert.throws(
        () => readSeedFile(file(content)),
        (error) => error instanceof SecretFileError && !error.message.includes("aa"),
      );
    });
  }
});
