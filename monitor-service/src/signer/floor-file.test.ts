import assert from "node:assert/strict";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { channelId, commitmentNumber } from "@farwatch/protocol/ids";
import { FloorFile, FloorFileError } from "./floor-file.js";

const HEADER_BYTES = 16;
const HALF_BYTES = 64;
const id = (byte: string) => channelId(byte.repeat(32));
const floor = (byte: string, number: number) => ({
  channelId: id(byte),
  number: commitmentNumber(number),
});

describe("floor file", () => {
  let folder: string;
  let file: string;
  const opened: FloorFile[] = [];
  beforeEach(() => {
    folder = fs.mkdtempSync(path.join(os.tmpdir(), "farwatch-floors-"));
    file = path.join(folder, "holder.floors");
  });
  afterEach(async () => {
    for (const floors of opened.splice(0)) await floors.close();
    fs.rmSync(folder, { recursive: true, force: true });
  });
  const open = async (): Promise<FloorFile> => {
    const floors = await FloorFile.open(file);
    opened.push(floors);
    return floors;
  };
  const reopened = async (): Promise<FloorFile> => {
    for (const floors of opened.splice(0)) await floors.close();
    return open();
  };
  const overwrite = (at: number, bytes: Uint8Array): void => {
    const handle = fs.openSync(file, "r+");
    fs.writeSync(handle, bytes, 0, bytes.length, at);
    fs.closeSync(handle);
  };

  it("is new once, readable by its owner only, and knows nothing then", async () => {
    const floors = await open();
    assert.equal(floors.isNew, true);
    assert.equal(floors.floorOf(id("a1")), undefined);
    assert.equal(fs.statSync(file).mode & 0o777, 0o600);
    assert.equal((await reopened()).isNew, false);
  });

  it("keeps what was raised, each channel by itself, the largest numbers too", async () => {
    const floors = await open();
    const highest = 2 ** 48 - 1;
    await floors.raise([floor("a1", 0), floor("b2", highest)]);
    for (let number = 1; number <= 5; number++) await floors.raise([floor("a1", number)]);
    const again = await reopened();
    assert.equal(again.floorOf(id("a1")), 5);
    assert.equal(again.floorOf(id("b2")), highest);
    assert.equal(fs.statSync(file).size, HEADER_BYTES + 3 * HALF_BYTES + 0 * HALF_BYTES);
    await again.raise([floor("c3", 7)]);
    assert.equal((await reopened()).floorOf(id("c3")), 7);
  });

  it("never falls", async () => {
    const floors = await open();
    await floors.raise([floor("a1", 9)]);
    await floors.raise([floor("a1", 3)]);
    assert.equal(floors.floorOf(id("a1")), 9);
    assert.equal((await reopened()).floorOf(id("a1")), 9);
  });

  it("takes many raises at once", async () => {
    const floors = await open();
    const raises = Array.from({ length: 200 }, (_, n) =>
      floors.raise([floor("a1", n), floor("b2", 200 - n)]),
    );
    assert.equal(floors.floorOf(id("a1")), 199, "in force before it is durable");
    await Promise.all(raises);
    const again = await reopened();
    assert.equal(again.floorOf(id("a1")), 199);
    assert.equal(again.floorOf(id("b2")), 200);
  });

  it("has on disk, whenever a raise resolves, what was raised before it", async () => {
    const floors = await open();
    const first = floors.raise([floor("a1", 1)]);
    await floors.raise([]);
    const copy = path.join(folder, "copy");
    fs.copyFileSync(file, copy);
    await first;
    const seen = await FloorFile.open(copy);
    assert.equal(seen.floorOf(id("a1")), 1);
    await seen.close();
  });

  it("resolves raises in the order they were made, empty ones too", async () => {
    const floors = await open();
    const made: number[] = [];
    const resolved: number[] = [];
    const calls: Promise<void>[] = [];
    for (let call = 1; call <= 60; call++) {
      // Some in one turn, some while a write is under way, some right after it.
      if (call % 4 === 0) await new Promise((resolve) => setImmediate(resolve));
      made.push(call);
      const raised = floors.raise(call % 3 === 1 ? [floor("a1", call)] : []);
      calls.push(raised.then(() => void resolved.push(call)));
    }
    await Promise.all(calls);
    assert.deepEqual(resolved, made);
  });

  it("is left with the floor before when a write is torn", async () => {
    const floors = await open();
    await floors.raise([floor("a1", 1)]);
    await floors.raise([floor("a1", 2)]);
    await floors.raise([floor("a1", 3)]);
    overwrite(HEADER_BYTES + 40, new Uint8Array(8).fill(0xee)); // half 0 holds the third
    const again = await reopened();
    assert.equal(again.floorOf(id("a1")), 2);
    assert.equal(again.damaged, 0);
    await again.raise([floor("a1", 4)]);
    assert.equal((await reopened()).floorOf(id("a1")), 4);
  });

  it("counts a slot of which nothing can be read, and keeps the others", async () => {
    const floors = await open();
    await floors.raise([floor("a1", 1), floor("b2", 2)]);
    overwrite(HEADER_BYTES, new Uint8Array(2 * HALF_BYTES).fill(0xee));
    const again = await reopened();
    assert.equal(again.damaged, 1);
    assert.equal(again.floorOf(id("a1")), undefined);
    assert.equal(again.floorOf(id("b2")), 2);
    await again.raise([floor("a1", 6)]);
    assert.equal((await reopened()).floorOf(id("b2")), 2, "a new slot displaces none");
  });

  it("refuses another kind of file, and leaves it as it is", async () => {
    fs.writeFileSync(file, "something of the operator's");
    await assert.rejects(FloorFile.open(file), FloorFileError);
    assert.equal(fs.readFileSync(file, "utf8"), "something of the operator's");
  });
});
