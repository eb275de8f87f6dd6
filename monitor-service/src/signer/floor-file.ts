/**
 * HolderFloors in one small file beside the store: two halves of a slot per channel, written in turn, so
 * that a write torn by a crash leaves the floor before it. The file never shrinks: a channel watched
 * again after its store was lost must still find its floor. It holds no secret, but it is only worth
 * something when it is not restored together with the store.
 */
import fs from "node:fs";
import { open, type FileHandle } from "node:fs/promises";
import path from "node:path";
import { sha256 } from "@noble/hashes/sha2.js";
import { concatBytes, equalBytes, fromHex, toHex, utf8 } from "@farwatch/protocol/bytes";
import {
  channelId as toChannelId,
  commitmentNumber,
  type ChannelId,
  type CommitmentNumber,
} from "@farwatch/protocol/ids";
import type { HolderFloor, HolderFloors } from "./holder-floors.js";

const OWNER_ONLY = 0o600;
const MAGIC = utf8("farwatch floors1");
const ID_BYTES = 32;
const NUMBER_BYTES = 8;
const CHECKSUM_BYTES = 24;
const HALF_BYTES = ID_BYTES + NUMBER_BYTES + CHECKSUM_BYTES;
const SLOT_BYTES = HALF_BYTES * 2;

/** The file is not one of ours. */
export class FloorFileError extends Error {
  override readonly name = "FloorFileError";
}

interface Slot {
  readonly index: number;
  number: CommitmentNumber;
  /** The half that was written last: never the one written next. */
  written: 0 | 1;
}

export class FloorFile implements HolderFloors {
  readonly #file: FileHandle;
  readonly #slots: Map<ChannelId, Slot>;
  #nextIndex: number;
  /** Raised and not yet being written. */
  #dirty = new Set<ChannelId>();
  #flush: Promise<void> | undefined;

  private constructor(file: FileHandle, read: SlotsRead) {
    this.#file = file;
    this.#slots = read.slots;
    this.#nextIndex = read.count;
    this.damaged = read.damaged;
    this.isNew = read.isNew;
  }

  /** Slots of which neither half can be read; their channels start from what the store knows. */
  readonly damaged: number;
  readonly isNew: boolean;

  /** Creates the file when there is none. Throws FloorFileError when it is another kind of file. */
  static async open(file: string): Promise<FloorFile> {
    const isNew = !fs.existsSync(file);
    if (isNew) create(file);
    const read = readSlots(fs.readFileSync(file), isNew);
    return new FloorFile(await open(file, "r+"), read);
  }

  floorOf(channelId: ChannelId): CommitmentNumber | undefined {
    return this.#slots.get(channelId)?.number;
  }

  async raise(floors: readonly HolderFloor[]): Promise<void> {
    for (const { channelId, number } of floors) {
      const slot = this.#slots.get(channelId);
      if (slot !== undefined && number <= slot.number) continue;
      if (slot === undefined) {
        this.#slots.set(channelId, { index: this.#nextIndex++, number, written: 1 });
      } else {
        slot.number = number;
      }
      this.#dirty.add(channelId);
    }
    // Also without a raise of its own: one of before may be on its way, and its floor is relied on.
    while (this.#dirty.size > 0 || this.#flush !== undefined) {
      this.#flush ??= this.#write().finally(() => (this.#flush = undefined));
      await this.#flush;
    }
  }

  async close(): Promise<void> {
    await this.#flush?.catch(() => undefined); // whoever raised it has the error
    await this.#file.close();
  }

  async #write(): Promise<void> {
    const dirty = [...this.#dirty];
    this.#dirty = new Set();
    for (const channelId of dirty) {
      const slot = this.#slots.get(channelId);
      if (slot === undefined) continue;
      slot.written = slot.written === 0 ? 1 : 0;
      const at = MAGIC.length + slot.index * SLOT_BYTES + slot.written * HALF_BYTES;
      await this.#file.write(encodeHalf(channelId, slot.number), 0, HALF_BYTES, at);
    }
    await this.#file.datasync();
  }
}

function create(file: string): void {
  const handle = fs.openSync(file, "wx", OWNER_ONLY);
  try {
    fs.writeSync(handle, MAGIC);
    fs.fsyncSync(handle);
  } finally {
    fs.closeSync(handle);
  }
  const folder = fs.openSync(path.dirname(file), "r");
  try {
    fs.fsyncSync(folder);
  } finally {
    fs.closeSync(folder);
  }
}

interface SlotsRead {
  readonly slots: Map<ChannelId, Slot>;
  readonly count: number;
  readonly damaged: number;
  readonly isNew: boolean;
}

function readSlots(bytes: Uint8Array, isNew: boolean): SlotsRead {
  if (!equalBytes(bytes.subarray(0, MAGIC.length), MAGIC)) {
    throw new FloorFileError("not a file of holder floors");
  }
  const slots = new Map<ChannelId, Slot>();
  const count = Math.ceil((bytes.length - MAGIC.length) / SLOT_BYTES);
  let damaged = 0;
  for (let index = 0; index < count; index++) {
    const start = MAGIC.length + index * SLOT_BYTES;
    const halves = ([0, 1] as const).flatMap((half) => {
      const at = start + half * HALF_BYTES;
      const floor = decodeHalf(bytes.subarray(at, at + HALF_BYTES));
      return floor === undefined ? [] : [{ ...floor, half }];
    });
    const [newest] = halves.sort((a, b) => b.number - a.number);
    if (newest === undefined) damaged++;
    else slots.set(newest.channelId, { index, number: newest.number, written: newest.half });
  }
  return { slots, count, damaged, isNew };
}

function encodeHalf(channelId: ChannelId, number: CommitmentNumber): Uint8Array {
  const bytes = new Uint8Array(NUMBER_BYTES);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(number));
  const body = concatBytes(fromHex(channelId), bytes);
  return concatBytes(body, checksum(body));
}

/** undefined: never written, torn or damaged. */
function decodeHalf(bytes: Uint8Array): HolderFloor | undefined {
  const body = bytes.slice(0, ID_BYTES + NUMBER_BYTES);
  if (bytes.length < HALF_BYTES) return undefined;
  if (!equalBytes(checksum(body), bytes.subarray(body.length))) return undefined;
  return {
    channelId: toChannelId(toHex(body.subarray(0, ID_BYTES))),
    number: commitmentNumber(
      Number(new DataView(Uint8Array.from(body).buffer).getBigUint64(ID_BYTES)),
    ),
  };
}

const checksum = (body: Uint8Array): Uint8Array => sha256(body).slice(0, CHECKSUM_BYTES);
