import assert from "node:assert/strict";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { utf8 } from "@farwatch/protocol/bytes";
import { readPassphrase } from "./passphrase.js";
import { readSecretFile, replaceSecretFile, SecretFileError } from "./secret-file.js";

describe("secret files", () => {
  let folder: string;
  beforeEach(() => (folder = fs.mkdtempSync(path.join(os.tmpdir(), "farwatch-secret-"))));
  afterEach(() => fs.rmSync(folder, { recursive: true, force: true }));
  const file = (content: string, mode = 0o600): string => {
    const name = path.join(folder, "secret");
    fs.writeFileSync(name, content);
    fs.chmodSync(name, mode);
    return name;
  };

  it("are read up to their limit and not beyond", () => {
    assert.deepEqual(readSecretFile(file("abcd"), { maxBytes: 4 }), utf8("abcd"));
    assert.throws(() => readSecretFile(file("abcde"), { maxBytes: 4 }), SecretFileError);
  });

  for (const mode of [0o640, 0o620, 0o610, 0o604, 0o602, 0o601]) {
    it(`are refused with mode ${mode.toString(8)}`, () => {
      assert.throws(() => readSecretFile(file("ab", mode), { maxBytes: 4 }), SecretFileError);
    });
  }

  it("may show the group's bit of an access list in systemd's folder only", () => {
    const name = file("ab", 0o440);
    assert.deepEqual(readSecretFile(name, { maxBytes: 4, credentials: folder }), utf8("ab"));
    const elsewhere = { maxBytes: 4, credentials: path.dirname(folder) };
    assert.throws(() => readSecretFile(name, elsewhere), SecretFileError);
    for (const mode of [0o460, 0o444]) {
      fs.chmodSync(name, mode);
      const limits = { maxBytes: 4, credentials: folder };
      assert.throws(() => readSecretFile(name, limits), SecretFileError);
    }
  });

  it("are replaced as a whole, for their owner only", () => {
    const name = file("old", 0o400);
    replaceSecretFile(name, utf8("new"));
    assert.equal(fs.readFileSync(name, "utf8"), "new");
    assert.equal(fs.statSync(name).mode & 0o777, 0o600);
    assert.deepEqual(fs.readdirSync(folder), ["secret"]);
  });

  it("are left alone while another change is under way", () => {
    const name = file("old");
    fs.writeFileSync(`${name}.new`, "half");
    assert.throws(() => replaceSecretFile(name, utf8("new")), SecretFileError);
    assert.equal(fs.readFileSync(name, "utf8"), "old");
    assert.equal(fs.readFileSync(`${name}.new`, "utf8"), "half");
  });

  for (const [content, expected] of [
    ["pass phrase", "pass phrase"],
    ["pass phrase\n", "pass phrase"],
    ["pass phrase\r\nnot this\n", "pass phrase"],
  ] as const) {
    it(`hold a passphrase in the first line of ${JSON.stringify(content)}`, () => {
      assert.deepEqual(readPassphrase(file(content), undefined), utf8(expected));
    });
  }

  for (const content of ["", "\n", "\r\nsecond"]) {
    it(`hold no passphrase with ${JSON.stringify(content)}`, () => {
      assert.throws(() => readPassphrase(file(content), undefined), SecretFileError);
    });
  }

  it("hold a passphrase of at most 1024 bytes", () => {
    assert.equal(readPassphrase(file("x".repeat(1024)), undefined).length, 1024);
    assert.throws(() => readPassphrase(file("x".repeat(1025)), undefined), SecretFileError);
  });
});
