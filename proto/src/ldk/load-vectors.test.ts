/** Recorded bytes of real LDK nodes, from test/vectors; each folder's README says where they come from. */
import { readdirSync, readFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";
import { fromHex } from "../bytes.js";

export interface VectorRow {
  readonly run: string;
  readonly node: string;
  readonly kind: string;
  readonly label: string;
  readonly bytes: Uint8Array;
}

/** From dist/src/ldk to the root of the repository. */
const vectors = new URL("../../../../test/vectors/", import.meta.url);

const listed = (folder: string, ending: string): readonly URL[] =>
  readdirSync(new URL(folder, vectors))
    .filter((name) => name.endsWith(ending))
    .sort()
    .map((name) => new URL(`${folder}/${name}`, vectors));

function readRow(line: string): VectorRow {
  const [run = "", node = "", kind = "", label = "", hex = ""] = line.split("\t");
  return { run, node, kind, label, bytes: fromHex(hex) };
}

export const vectorRows = (): readonly VectorRow[] =>
  listed("ldk-0.1.0", ".tsv.gz").flatMap((file) =>
    gunzipSync(readFileSync(file)).toString("utf8").trimEnd().split("\n").map(readRow),
  );

/** Where hex stands in a fixture, as `timeline/events/hex`; list positions are left out. */
function* hexIn(value: unknown, path: string): Generator<{ path: string; hex: string }> {
  if (typeof value === "string") yield { path, hex: value };
  else if (Array.isArray(value)) for (const item of value) yield* hexIn(item, path);
  else if (typeof value === "object" && value !== null) {
    for (const [name, item] of Object.entries(value)) yield* hexIn(item, `${path}/${name}`);
  }
}

/** Every blob of the fixtures whose path ends as told. */
export function fixtureBlobs(ending: string): readonly Uint8Array[] {
  const found: Uint8Array[] = [];
  for (const file of listed("ldk-fixtures", ".json")) {
    const fixture: unknown = JSON.parse(readFileSync(file, "utf8"));
    for (const { path, hex } of hexIn(fixture, "")) {
      if (path.endsWith(ending)) found.push(fromHex(hex));
    }
  }
  return found;
}
