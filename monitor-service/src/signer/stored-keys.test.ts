import assert from "node:assert/strict";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { inspect } from "node:util";
import { fromHex, toHex, utf8 } from "@farwatch/protocol/bytes";
import { nobleCurve } from "@farwatch/protocol/curve/noble-curve";
import { MemoryFloors } from "./holder-floors.js";
import { ImportError, mergeChannels, parseImport } from "./import-keys.js";
import { LocalSigner } from "./local-signer.js";
import { MIN_COST, SealError } from "./sealed.js";
import {
  MAX_STORED_CHANNELS,
  readKeyStore,
  StoredKeys,
  writeKeyStore,
  type StoredChannels,
} from "./stored-keys.js";

const passphrase = utf8("correct horse battery");
const FIELDS = ["funding", "revocation_base", "payment", "delayed_payment_base", "htlc_base"];
const hex = (byte: number): string => byte.toString(16).padStart(2, "0").repeat(32);
const id = (byte: number): Uint8Array => fromHex(hex(byte));

/** Secrets n+1 to n+5 under id n. */
const row = (n: number): Record<string, string> => ({
  channel_keys_id: hex(n),
  ...Object.fromEntries(FIELDS.map((name, at) => [`${name}_secret`, hex(n + at + 1)])),
});
const json = (...rows: readonly unknown[]): string => JSON.stringify({ channels: rows });
const channels = (...ids: readonly number[]): StoredChannels =>
  parseImport(nobleCurve, json(...ids.map(row)));

describe("key store", () => {
  let folder: string;
  let file: string;
  let troubles: unknown[];
  beforeEach(() => {
    folder = fs.mkdtempSync(path.join(os.tmpdir(), "farwatch-keys-"));
    file = path.join(folder, "channel.keys");
    troubles = [];
  });
  afterEach(() => fs.rmSync(folder, { recursive: true, force: true }));
  const write = (held: StoredChannels, word = passphrase): void =>
    writeKeyStore(file, held, word, MIN_COST);
  const open = (): StoredKeys =>
    new StoredKeys({
      file,
      passphrase: () => Uint8Array.from(passphrase),
      onUnreadable: (error) => troubles.push(error),
    });

  it("gives each channel its own secrets, and none for others", () => {
    write(channels(1, 20));
    const signer = new LocalSigner(nobleCurve, open(), new MemoryFloors());
    const keys = signer.pubkeys(id(20));
    assert.deepEqual(keys, {
      fundingPubkey: nobleCurve.publicKey(id(21)),
      revocationBasepoint: nobleCurve.publicKey(id(22)),
      paymentPoints: [nobleCurve.publicKey(id(23))],
      delayedPaymentBasepoint: nobleCurve.publicKey(id(24)),
      htlcBasepoint: nobleCurve.publicKey(id(25)),
    });
    assert.equal(signer.pubkeys(id(2)), undefined);
  });

  it("holds nothing in clear on disk, and is its owner's only", () => {
    write(channels(1));
    const bytes = toHex(fs.readFileSync(file));
    for (let n = 1; n <= 6; n++) assert.ok(!bytes.includes(hex(n)));
    assert.equal(fs.statSync(file).mode & 0o777, 0o600);
    fs.chmodSync(file, 0o640);
    assert.throws(open, /group or others/);
  });

  it("is not opened with another passphrase or when damaged", () => {
    write(channels(1));
    assert.throws(
      () => readKeyStore(file, utf8("another passphrase")),
      (error) => error instanceof SealError && error.problem === "wrongPassphrase",
    );
    const bytes = fs.readFileSync(file);
    bytes[bytes.length - 20] = (bytes[bytes.length - 20] ?? 0) ^ 1;
    fs.writeFileSync(file, bytes);
    assert.throws(open, (error) => error instanceof SealError && error.problem === "damaged");
  });

  it("is empty before its file exists, and read again once it changed", () => {
    const keys = open();
    assert.equal(keys.secretsOf(id(1)), undefined);
    write(channels(1));
    assert.deepEqual(keys.secretsOf(id(1))?.funding, id(2));
    write(channels(1, 20));
    assert.deepEqual(keys.secretsOf(id(20))?.htlcBase, id(25));
    assert.equal(keys.size, 2);
    assert.deepEqual(troubles, []);
  });

  it("keeps what it has read, and says so once, when a changed file cannot be read", () => {
    write(channels(1));
    const keys = open();
    write(channels(1, 20), utf8("another passphrase"));
    assert.equal(keys.secretsOf(id(20)), undefined);
    assert.equal(keys.secretsOf(id(20)), undefined);
    assert.deepEqual(keys.secretsOf(id(1))?.funding, id(2));
    assert.equal(troubles.length, 1);
    assert.ok(troubles[0] instanceof SealError);
  });

  it("gives copies, which may be wiped", () => {
    write(channels(1));
    const keys = open();
    keys.secretsOf(id(1))?.funding.fill(0);
    assert.deepEqual(keys.secretsOf(id(1))?.funding, id(2));
  });

  it("shows no secret when printed or serialized", () => {
    write(channels(0xb0));
    const keys = open();
    const shown = `${inspect(keys, { depth: 9, showHidden: true })}${JSON.stringify(keys)}`;
    assert.ok(!shown.includes("b1b1") && !shown.includes("177, 177") && !shown.includes("177,177"));
  });
});

describe("import of channel secrets", () => {
  const problemOf = (text: string): string => {
    try {
      parseImport(nobleCurve, text);
    } catch (error) {
      assert.ok(error instanceof ImportError);
      return error.message;
    }
    return "taken";
  };

  it("takes any number of channels", () => {
    assert.deepEqual([...channels(1, 20, 40).keys()], [hex(1), hex(20), hex(40)]);
  });

  it("names the channel and the field that is wrong, and no value", () => {
    const order = "fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141";
    const cases: readonly (readonly [string, RegExp])[] = [
      ["{", /^not JSON$/],
      ["[]", /not understood/],
      [json(), /^channels: /],
      [json(row(1), { ...row(20), payment_secret: "22" }), /^channels\.1\.payment_secret: /],
      [json({ ...row(1), htlc_base_secret: order }), /^channels\.0\.htlc_base_secret: no valid/],
      [json({ ...row(1), funding_secret: hex(0) }), /^channels\.0\.funding_secret: no valid/],
      [json(row(1), row(1)), /^channels\.1\.channel_keys_id: given twice/],
      [json({ ...row(1), extra: hex(0xee) }), /^channels\.0: /],
    ];
    for (const [text, expected] of cases) {
      const problem = problemOf(text);
      assert.match(problem, expected);
      assert.ok(!/(?:0202|eeee|baae)/.test(problem), problem);
    }
  });

  it("adds what is new, keeps what is known, and replaces nothing", () => {
    const held = channels(1);
    const { channels: merged, added } = mergeChannels(held, channels(1, 20));
    assert.deepEqual(added, [hex(20)]);
    assert.deepEqual([...merged.keys()], [hex(1), hex(20)]);
    const other = parseImport(nobleCurve, json({ ...row(1), payment_secret: hex(9) }));
    assert.throws(() => mergeChannels(held, other), /other secrets are stored/);
  });

  it("holds as many channels as the limit says", () => {
    const [secrets] = channels(1).values();
    assert.ok(secrets !== undefined);
    const many = (count: number): StoredChannels =>
      new Map(Array.from({ length: count }, (_, n) => [n.toString(16).padStart(64, "0"), secrets]));
    const none = new Map();
    assert.equal(mergeChannels(none, many(MAX_STORED_CHANNELS)).added.length, MAX_STORED_CHANNELS);
    assert.throws(() => mergeChannels(none, many(MAX_STORED_CHANNELS + 1)), ImportError);
  });
});
