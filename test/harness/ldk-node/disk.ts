/**
 * What an LDK node of these tests keeps over a restart: one file with the ChannelManager, what its Watch must
 * know of the same moment, and the application's own state. One file, so that the three can never be of
 * different moments (ldk-lab/restart.md R2); a new one replaces it only when it is complete on disk.
 */
import fs from "node:fs";
import path from "node:path";

export interface Saved {
  /** ChannelManager.write(). */
  readonly manager: Uint8Array;
  /** Opaque; from the Watch. */
  readonly told: Uint8Array;
  /** JSON of the application. */
  readonly app: string;
}

const FILE = "node";
const LENGTH_BYTES = 4;

export class Disk {
  constructor(
    private readonly folder: string,
    /** Called between two steps of a save, for tests that end the process there. */
    private readonly between: () => void = () => undefined,
  ) {
    fs.mkdirSync(folder, { recursive: true });
  }

  load(): Saved | undefined {
    const file = path.join(this.folder, FILE);
    if (!fs.existsSync(file)) return undefined;
    const [manager, told, app] = partsOf(fs.readFileSync(file));
    if (manager === undefined || told === undefined || app === undefined) {
      throw new Error("the node's file is not complete");
    }
    return { manager, told, app: Buffer.from(app).toString("utf8") };
  }

  save({ manager, told, app }: Saved): void {
    const parts = [manager, told, Buffer.from(app, "utf8")];
    this.write(FILE, Buffer.concat(parts.flatMap((part) => [lengthOf(part), part])));
  }

  /** Atomic: whatever happens, the file holds the old bytes or the new ones. */
  write(name: string, bytes: Uint8Array): void {
    const file = path.join(this.folder, name);
    const next = `${file}.new`;
    const descriptor = fs.openSync(next, "w", 0o600);
    const half = Math.floor(bytes.length / 2);
    fs.writeSync(descriptor, bytes.subarray(0, half));
    this.between();
    fs.writeSync(descriptor, bytes.subarray(half));
    fs.fsyncSync(descriptor);
    fs.closeSync(descriptor);
    this.between();
    fs.renameSync(next, file);
    syncFolder(this.folder);
  }

  /** Whole files whose names begin so, in any order. */
  readAll(prefix: string): Uint8Array[] {
    return fs
      .readdirSync(this.folder)
      .filter((name) => name.startsWith(prefix) && !name.endsWith(".new"))
      .map((name) => Uint8Array.from(fs.readFileSync(path.join(this.folder, name))));
  }
}

/** A rename is durable when its folder is. */
function syncFolder(folder: string): void {
  const descriptor = fs.openSync(folder, "r");
  fs.fsyncSync(descriptor);
  fs.closeSync(descriptor);
}

function lengthOf(part: Uint8Array): Uint8Array {
  const length = Buffer.alloc(LENGTH_BYTES);
  length.writeUInt32BE(part.length);
  return length;
}

function partsOf(bytes: Uint8Array): Uint8Array[] {
  const parts: Uint8Array[] = [];
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let at = 0; at < bytes.length;) {
    const length = view.getUint32(at);
    at += LENGTH_BYTES;
    parts.push(Uint8Array.from(bytes.subarray(at, at + length)));
    at += length;
  }
  return parts;
}
