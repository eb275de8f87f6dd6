/**
 * LDK bytes as a tree, guessed from their looks alone: a length followed by that many bytes of rising records
 * is taken for a TLV struct. A wrong guess only makes a mutation an odd one. Encoding writes lengths anew.
 */
import { concatBytes } from "@farwatch/protocol/bytes";
import { bigSizeOf } from "../harness/ldk-bytes/wire.js";

export interface RawNode {
  kind: "raw";
  bytes: Uint8Array;
}
export interface ListNode {
  kind: "list";
  parts: Tree[];
}
export interface RecordNode {
  type: bigint;
  value: Tree;
}
export interface StructNode {
  kind: "struct";
  records: RecordNode[];
  /** Added to the length that is written. */
  lie: bigint;
}
/** Length plus one in front, as LDK writes an `Option`. */
export interface OptionNode {
  kind: "option";
  body: Tree;
}
export type Tree = RawNode | ListNode | StructNode | OptionNode;

/** LDK's own go to 47; `framing` has one in three bytes. */
const MAX_TYPE = 253;
const MAX_DEPTH = 12;

export const parseTree = (bytes: Uint8Array): Tree => parseValue(bytes, 0);

function parseValue(bytes: Uint8Array, depth: number): Tree {
  const parts: Tree[] = [];
  let plainFrom = 0;
  let at = 0;
  while (at < bytes.length) {
    const found = depth < MAX_DEPTH ? nodeAt(bytes, at, depth) : undefined;
    if (found === undefined) {
      at += 1;
      continue;
    }
    if (at > plainFrom) parts.push({ kind: "raw", bytes: bytes.subarray(plainFrom, at) });
    parts.push(found.node);
    at = found.end;
    plainFrom = at;
  }
  if (plainFrom < bytes.length) parts.push({ kind: "raw", bytes: bytes.subarray(plainFrom) });
  const [only] = parts;
  return parts.length === 1 && only !== undefined ? only : { kind: "list", parts };
}

interface Found {
  readonly node: Tree;
  readonly end: number;
}

function nodeAt(bytes: Uint8Array, at: number, depth: number): Found | undefined {
  const size = sizeAt(bytes, at);
  if (size === undefined) return undefined;
  const { start, length } = size;
  const end = start + length;
  if (length >= 4 && end <= bytes.length) {
    const records = recordsIn(bytes.subarray(start, end), depth + 1);
    if (records !== undefined) return { node: { kind: "struct", records, lie: 0n }, end };
  }
  return optionAt(bytes, { start, end: end - 1 }, depth);
}

/** A source behind its `Option`: a variant and a struct that ends where the option does. */
function optionAt(
  bytes: Uint8Array,
  { start, end }: { start: number; end: number },
  depth: number,
): Found | undefined {
  if (end - start < 6 || end > bytes.length || (bytes[start] ?? 0) > 5) return undefined;
  const inner = sizeAt(bytes, start + 1);
  if (inner === undefined || inner.start + inner.length !== end) return undefined;
  const body = parseValue(bytes.subarray(start, end), depth + 1);
  return body.kind === "raw" ? undefined : { node: { kind: "option", body }, end };
}

/** A BigSize of up to three bytes: `start` is behind it. */
function sizeAt(bytes: Uint8Array, at: number): { start: number; length: number } | undefined {
  const first = bytes[at];
  if (first === undefined) return undefined;
  if (first < 0xfd) return { start: at + 1, length: first };
  if (first !== 0xfd || at + 3 > bytes.length) return undefined;
  const length = ((bytes[at + 1] ?? 0) << 8) | (bytes[at + 2] ?? 0);
  return length < 0xfd ? undefined : { start: at + 3, length };
}

/** At least two records that rise and fill the bytes. */
function recordsIn(bytes: Uint8Array, depth: number): RecordNode[] | undefined {
  const spans: { type: number; start: number; end: number }[] = [];
  for (let at = 0, last = -1; at < bytes.length;) {
    const number = sizeAt(bytes, at);
    const size = number && sizeAt(bytes, number.start);
    if (number === undefined || size === undefined) return undefined;
    const type = number.length;
    if (type <= last || type > MAX_TYPE) return undefined;
    const end = size.start + size.length;
    if (end > bytes.length) return undefined;
    spans.push({ type, start: size.start, end });
    last = type;
    at = end;
  }
  if (spans.length < 2) return undefined;
  return spans.map(({ type, start, end }) => ({
    type: BigInt(type),
    value: parseValue(bytes.subarray(start, end), depth),
  }));
}

export function encodeTree(tree: Tree): Uint8Array {
  switch (tree.kind) {
    case "raw":
      return tree.bytes;
    case "list":
      return concatBytes(...tree.parts.map(encodeTree));
    case "option": {
      const body = encodeTree(tree.body);
      return concatBytes(bigSizeOf(body.length + 1), body);
    }
    case "struct": {
      const body = concatBytes(...tree.records.map(encodeRecord));
      const said = BigInt.asUintN(64, BigInt(body.length) + tree.lie);
      return concatBytes(bigSizeOf(said), body);
    }
  }
}

function encodeRecord({ type, value }: RecordNode): Uint8Array {
  const body = encodeTree(value);
  return concatBytes(bigSizeOf(type), bigSizeOf(body.length), body);
}

/** Containers of its own; the bytes are shared, nothing writes into them. */
export function copyTree(tree: Tree): Tree {
  switch (tree.kind) {
    case "raw":
      return { ...tree };
    case "list":
      return { kind: "list", parts: tree.parts.map(copyTree) };
    case "option":
      return { kind: "option", body: copyTree(tree.body) };
    case "struct":
      return {
        ...tree,
        records: tree.records.map(({ type, value }) => ({ type, value: copyTree(value) })),
      };
  }
}

export interface Nodes {
  readonly structs: StructNode[];
  readonly lists: ListNode[];
  readonly raws: RawNode[];
}

export function nodesOf(tree: Tree, found: Nodes = { structs: [], lists: [], raws: [] }): Nodes {
  if (tree.kind === "raw") found.raws.push(tree);
  else if (tree.kind === "option") nodesOf(tree.body, found);
  else if (tree.kind === "list") {
    found.lists.push(tree);
    for (const part of tree.parts) nodesOf(part, found);
  } else {
    found.structs.push(tree);
    for (const { value } of tree.records) nodesOf(value, found);
  }
  return found;
}
