/**
 * JSON objects one after the other, as lightningd and its plugins exchange them: whatever white space stands
 * between them, and wherever a chunk of bytes ends.
 */

/** Bytes of one message. A hook's is a few kilobytes; lightningd's own limit for plugins is above this. */
export const MAX_MESSAGE_BYTES = 16 * 1024 * 1024;

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const OPEN = 0x7b;
const CLOSE = 0x7d;
const SPACES: ReadonlySet<number> = new Set([0x20, 0x09, 0x0a, 0x0d]);

/** What arrived is not JSON objects: the other side is not who it should be. */
export class JsonStreamBroken extends Error {
  override readonly name = "JsonStreamBroken";
}

export class JsonStream {
  #buffer = Buffer.alloc(0);
  #scanned = 0;
  #start: number | undefined;
  #depth = 0;
  #inString = false;
  #escaped = false;

  /** Complete messages in what has arrived so far. Throws JsonStreamBroken. */
  push(chunk: Uint8Array): readonly unknown[] {
    this.#buffer = Buffer.concat([this.#buffer, chunk]);
    const messages: unknown[] = [];
    for (; this.#scanned < this.#buffer.length; this.#scanned++) {
      const byte = this.#buffer[this.#scanned] ?? 0;
      if (this.#start === undefined) this.#begin(byte);
      else if (this.#ends(byte)) messages.push(this.#take(this.#start));
    }
    if (this.#start === undefined) this.#drop(this.#scanned);
    if (this.#buffer.length > MAX_MESSAGE_BYTES) throw new JsonStreamBroken("message too long");
    return messages;
  }

  #begin(byte: number): void {
    if (SPACES.has(byte)) return;
    if (byte !== OPEN) throw new JsonStreamBroken("not a JSON object");
    this.#start = this.#scanned;
    this.#depth = 1;
  }

  #ends(byte: number): boolean {
    if (this.#inString) {
      if (this.#escaped) this.#escaped = false;
      else if (byte === BACKSLASH) this.#escaped = true;
      else if (byte === QUOTE) this.#inString = false;
      return false;
    }
    if (byte === QUOTE) this.#inString = true;
    else if (byte === OPEN) this.#depth += 1;
    else if (byte === CLOSE) this.#depth -= 1;
    return this.#depth === 0;
  }

  #take(start: number): unknown {
    const text = this.#buffer.subarray(start, this.#scanned + 1).toString("utf8");
    this.#start = undefined;
    try {
      return JSON.parse(text) as unknown;
    } catch {
      throw new JsonStreamBroken("an object that is not JSON");
    }
  }

  #drop(bytes: number): void {
    this.#buffer = this.#buffer.subarray(bytes);
    this.#scanned = 0;
  }
}
