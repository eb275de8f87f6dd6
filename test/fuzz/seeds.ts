/** Where mutation starts: bytes of real LDK nodes under test/vectors, and the vectors built by hand. */
import { readdirSync, readFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";
import { fromHex, toHex } from "@farwatch/protocol/bytes";
import { builtVectors, bytesOf, type VectorKind } from "../harness/ldk-bytes/vectors.js";

/** From test/dist/fuzz to test/vectors. */
const vectors = new URL("../../vectors/", import.meta.url);

const filesOf = (folder: string, ending: string): readonly URL[] =>
  readdirSync(new URL(folder, vectors))
    .filter((name) => name.endsWith(ending))
    .sort()
    .map((name) => new URL(`${folder}/${name}`, vectors));

export function recorded(kind: string): readonly Uint8Array[] {
  const lines = filesOf("ldk-0.1.0", ".tsv.gz").flatMap((file) =>
    gunzipSync(readFileSync(file)).toString("utf8").trimEnd().split("\n"),
  );
  return lines
    .map((line) => line.split("\t"))
    .filter(([, , of]) => of === kind)
    .map(([, , , , hex = ""]) => fromHex(hex));
}

/** Hex in the fixtures by the end of its path; list positions are left out of paths. */
function* hexAt(value: unknown, path: string, ending: string): Generator<string> {
  if (typeof value === "string") {
    if (path.endsWith(ending)) yield value;
  } else if (Array.isArray(value)) {
    for (const item of value) yield* hexAt(item, path, ending);
  } else if (typeof value === "object" && value !== null) {
    for (const [name, item] of Object.entries(value)) yield* hexAt(item, `${path}/${name}`, ending);
  }
}

export function fixtureBytes(ending: string, folder = "ldk-fixtures"): readonly Uint8Array[] {
  const found: Uint8Array[] = [];
  for (const file of filesOf(folder, ".json")) {
    const fixture: unknown = JSON.parse(readFileSync(file, "utf8"));
    for (const hex of hexAt(fixture, "", ending)) found.push(fromHex(hex));
  }
  return found;
}

const built = (kind: VectorKind): readonly Uint8Array[] =>
  builtVectors()
    .filter((vector) => vector.kind === kind)
    .map(bytesOf);

/** Of the recorded ones so many at even distances from shortest to longest, and all built ones. */
function spread(recordings: readonly Uint8Array[], count: number): readonly Uint8Array[] {
  const distinct = [...new Map(recordings.map((bytes) => [toHex(bytes), bytes])).values()];
  const sorted = distinct.sort((a, b) => a.length - b.length);
  const step = Math.max(1, Math.floor(sorted.length / count));
  return sorted.filter((_, at) => at % step === 0);
}

export const updateSeeds = (): readonly Uint8Array[] => [
  ...spread([...recorded("update"), ...fixtureBytes("timeline/update")], 60),
  ...built("update"),
];
export const firstMonitors = (): readonly Uint8Array[] => fixtureBytes("timeline/monitor");
export const monitorSeeds = (): readonly Uint8Array[] => [
  ...spread([...recorded("monitor"), ...firstMonitors()], 24),
  ...built("monitor"),
];
export const eventSeeds = (): readonly Uint8Array[] => [
  ...spread(fixtureBytes("timeline/events/hex"), 20),
  ...built("event"),
];
export const htlcUpdateSeeds = (): readonly Uint8Array[] => [
  ...spread(fixtureBytes("timeline/events/htlc_event/hex"), 10),
  ...built("htlcUpdate"),
];
export const spendableSeeds = (): readonly Uint8Array[] => [
  ...spread(fixtureBytes("/event/outputs/hex"), 10),
  ...built("spendable"),
];
export const sourceSeeds = (): readonly Uint8Array[] => built("source");
