/** `farwatch ldk` as a person runs it: recorded bytes become JSON and bytes again, bad input says where. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { toHex } from "@farwatch/protocol/bytes";
import { vectorRows } from "@farwatch/protocol/ldk/load-vectors.test";

const BIN = path.resolve(import.meta.dirname, "../../../manager-service/bin/farwatch.js");

interface Ended {
  readonly status: number | null;
  readonly out: Buffer;
  readonly err: string;
}

function farwatch(args: readonly string[], input: Uint8Array | string = ""): Ended {
  const options = { timeout: 60_000, input, maxBuffer: 1 << 26 };
  const { status, stdout, stderr } = spawnSync(process.execPath, [BIN, ...args], options);
  return { status, out: stdout, err: stderr.toString() };
}

/** The longest of its kind: what stands in it is everything there is. */
function recorded(kind: string): Uint8Array {
  const rows = vectorRows().flatMap((row) => (row.kind === kind ? [row.bytes] : []));
  const [longest] = rows.sort((a, b) => b.length - a.length);
  return longest ?? assert.fail(`no ${kind}`);
}

describe("farwatch ldk", function () {
  this.timeout(120_000);
  const update = recorded("update");
  const monitor = recorded("monitor");
  let folder: string;
  before(() => {
    folder = fs.mkdtempSync(path.join(os.tmpdir(), "farwatch-ldk-"));
  });
  after(() => fs.rmSync(folder, { recursive: true }));
  const written = (name: string, content: Uint8Array | string): string => {
    const file = path.join(folder, name);
    fs.writeFileSync(file, content);
    return file;
  };

  it("decodes a binary file and encodes its JSON back to the same bytes", () => {
    const decoded = farwatch(["ldk", "decode", written("monitor.bin", monitor)]);
    assert.deepEqual([decoded.status, decoded.err], [0, ""]);
    const json: unknown = JSON.parse(decoded.out.toString());
    assert.ok(typeof json === "object" && json !== null && "type" in json && "value" in json);
    assert.equal(json.type, "monitor");
    const file = written("monitor.json", decoded.out);
    const binary = farwatch(["ldk", "encode", "--binary", file]);
    assert.deepEqual([binary.status, binary.err], [0, ""]);
    assert.ok(binary.out.equals(monitor));
    const hex = farwatch(["ldk", "encode", "-"], decoded.out);
    assert.equal(hex.out.toString(), `${toHex(monitor)}\n`);
  });

  it("takes hex with white space, of either case, from standard input", () => {
    const lines = toHex(update)
      .toUpperCase()
      .replace(/(.{60})/g, "$1 \r\n\t");
    const fromHex = farwatch(["ldk", "decode", "-"], lines);
    const fromBinary = farwatch(["ldk", "decode", "--type", "update", "-"], update);
    assert.deepEqual([fromHex.status, fromBinary.status], [0, 0]);
    assert.ok(fromHex.out.length > 0 && fromHex.out.equals(fromBinary.out));
  });

  it("an edited value is what is written", () => {
    const decoded = farwatch(["ldk", "decode", "-"], update).out.toString();
    const edited = decoded.replace(/"updateId": "\d+"/, '"updateId": "258"');
    const encoded = farwatch(["ldk", "encode", "-"], edited);
    const expected = Buffer.from(update);
    expected.writeBigUInt64BE(258n, 2);
    assert.equal(encoded.out.toString().trim(), expected.toString("hex"));
  });

  it("exit code 1, one line and the place for input that is no good", () => {
    const cut = written("cut.bin", update.subarray(0, update.length - 1));
    const told = farwatch(["ldk", "decode", cut]);
    assert.deepEqual([told.status, told.out.length], [1, 0]);
    assert.match(
      told.err,
      /^farwatch: \S+cut\.bin: read as update: truncated at byte \d+ of update, /,
    );
    assert.equal(told.err.trimEnd().split("\n").length, 1);
    const bad = [
      farwatch(["ldk", "decode", "-"], "0101 0"),
      farwatch(["ldk", "decode", "--type", "source", "-"], update),
      farwatch(["ldk", "decode", path.join(folder, "missing")]),
      farwatch(["ldk", "encode", "-"], '{"type": "update", "secret'),
      farwatch(["ldk", "encode", "-"], '{"type": "update", "value": {"updateId": "x"}}'),
    ];
    assert.deepEqual(
      bad.map(({ status, err }) => [status, err.replace(folder, "")]),
      [
        [1, "farwatch: half a byte at the end of the hex\n"],
        [
          1,
          "farwatch: -: read as source: truncated at byte 3 of source/previousHop, wanted 1, left 0\n",
        ],
        [1, "farwatch: /missing: ENOENT\n"],
        [1, "farwatch: -: not JSON at character 26\n"],
        [1, "farwatch: -: not a decimal string of at most 8 bytes at $.value.updateId\n"],
      ],
    );
  });

  it("exit code 2 for a command line that cannot be meant; help says that output is secret", () => {
    for (const args of [
      [],
      ["ldk"],
      ["ldk", "decode"],
      ["ldk", "decode", "--type", "tx", "-"],
      ["ldk", "encode", "a", "b"],
      ["ldk", "print", "-"],
    ]) {
      assert.equal(farwatch(args).status, 2, args.join(" "));
    }
    const help = farwatch(["ldk", "decode", "--help"]);
    assert.equal(help.status, 0);
    assert.match(help.out.toString(), /What is printed is secret/);
  });
});
