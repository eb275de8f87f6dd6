/** Changes to LDK bytes at the level of records: what an attacker, or a later LDK, would change. */
import type { Random } from "./random.js";
import { mutateBytes, strangeBytes } from "./mutate-bytes.js";
import {
  copyTree,
  encodeTree,
  nodesOf,
  parseTree,
  type ListNode,
  type Nodes,
  type RawNode,
  type RecordNode,
  type StructNode,
  type Tree,
} from "./tree.js";

/** Nothing longer is tried: a monitor with every field is half of it. */
export const MAX_INPUT_BYTES = 64 * 1024;

type Change = (nodes: Nodes, donor: Nodes, random: Random) => void;

/** Around the numbers in use, and far from them. */
const STRANGE_TYPES = [
  0n,
  1n,
  2n,
  252n,
  253n,
  254n,
  255n,
  65_535n,
  65_536n,
  (1n << 32n) - 1n,
  1n << 32n,
];
const LIES = [1n, -1n, 2n, -2n, 255n, 65_536n, 1n << 32n, (1n << 63n) - 1n, -1000n];
const DEEP = 40;
const MANY = 64;

function recordOf(nodes: Nodes, random: Random): [StructNode, number, RecordNode] | undefined {
  const struct = random.pick(nodes.structs);
  if (struct === undefined) return undefined;
  const at = random.below(struct.records.length);
  const record = struct.records[at];
  return record === undefined ? undefined : [struct, at, record];
}

const onRecord =
  (change: (struct: StructNode, at: number, record: RecordNode, random: Random) => void): Change =>
  (nodes, _donor, random) => {
    const found = recordOf(nodes, random);
    if (found !== undefined) change(...found, random);
  };

const onList =
  (change: (list: ListNode, at: number, random: Random) => void): Change =>
  (nodes, _donor, random) => {
    const list = random.pick(nodes.lists);
    if (list !== undefined) change(list, random.below(list.parts.length), random);
  };

const onRaw =
  (change: (raw: RawNode, random: Random) => void): Change =>
  (nodes, _donor, random) => {
    const raw = random.pick(nodes.raws);
    if (raw !== undefined) change(raw, random);
  };

const strangeType = (type: bigint, random: Random): bigint => {
  const near = [type ^ 1n, type + 1n, type + 2n, type === 0n ? 0n : type - 1n];
  return random.pick([...near, ...near, ...STRANGE_TYPES]) ?? type;
};

const raw = (bytes: Uint8Array): RawNode => ({ kind: "raw", bytes });

const RECORD_CHANGES: readonly Change[] = [
  onRecord((struct, at) => struct.records.splice(at, 1)),
  onRecord((struct, at, record) =>
    struct.records.splice(at, 0, { ...record, value: copyTree(record.value) }),
  ),
  onRecord((struct, at, _record, random) => {
    const other = random.below(struct.records.length);
    const [taken] = struct.records.splice(at, 1);
    if (taken !== undefined) struct.records.splice(other, 0, taken);
  }),
  onRecord((_struct, _at, record, random) => {
    record.type = strangeType(record.type, random);
  }),
  onRecord((struct, at, record, random) => {
    const value = raw(random.bytes(random.below(40)));
    struct.records.splice(at + 1, 0, { type: strangeType(record.type, random), value });
  }),
  onRecord((_struct, _at, record, random) => {
    record.value = raw(strangeBytes(random, encodeTree(record.value).length));
  }),
  onRecord((_struct, _at, record) => {
    record.value = raw(new Uint8Array());
  }),
  onRecord((_struct, _at, record, random) => {
    const value = encodeTree(record.value);
    record.value = raw(value.subarray(0, random.below(value.length)));
  }),
  onRecord((_struct, _at, record, random) => {
    record.value = { kind: "list", parts: [record.value, raw(random.bytes(1 + random.below(40)))] };
  }),
  onRecord((_struct, _at, record, random) => {
    const value = record.value;
    const copies = Array.from({ length: 1 + random.below(MANY) }, () => copyTree(value));
    record.value = { kind: "list", parts: [value, ...copies] };
  }),
  onRecord((struct, _at, record, random) => {
    let inner: Tree = copyTree(struct);
    for (let level = random.below(DEEP); level > 0; level--) {
      const records = [{ type: record.type, value: inner }];
      inner = { kind: "struct", records, lie: 0n };
    }
    record.value = inner;
  }),
];

/** Records of one input in another: the same number first, then any. */
function spliceRecord(nodes: Nodes, donor: Nodes, random: Random): void {
  const target = recordOf(nodes, random);
  const same = donor.structs.flatMap(({ records }) =>
    records.filter(({ type }) => type === target?.[2].type),
  );
  const given = random.pick(same);
  if (target !== undefined && given !== undefined) target[2].value = copyTree(given.value);
}

function spliceStruct(nodes: Nodes, donor: Nodes, random: Random): void {
  const target = random.pick(nodes.structs);
  const given = random.pick(donor.structs);
  if (target === undefined || given === undefined) return;
  target.records = given.records.map(({ type, value }) => ({ type, value: copyTree(value) }));
}

const OTHER_CHANGES: readonly Change[] = [
  (nodes, _donor, random) => {
    const struct = random.pick(nodes.structs);
    if (struct !== undefined) struct.lie = random.pick(LIES) ?? 1n;
  },
  spliceRecord,
  spliceRecord,
  spliceStruct,
  onList((list, at) => list.parts.splice(at, 1)),
  onList((list, at) => {
    const part = list.parts[at];
    if (part !== undefined) list.parts.splice(at, 0, copyTree(part));
  }),
  onList((list, at, random) => {
    const [taken] = list.parts.splice(at, 1);
    if (taken !== undefined) list.parts.splice(random.below(list.parts.length + 1), 0, taken);
  }),
  onRaw((node, random) => {
    node.bytes = strangeBytes(random, node.bytes.length);
  }),
  onRaw((node, random) => {
    node.bytes = mutateBytes(node.bytes, node.bytes, random);
  }),
  onRaw((node, random) => {
    node.bytes = mutateBytes(node.bytes, node.bytes, random);
  }),
];

const CHANGES = [...RECORD_CHANGES, ...OTHER_CHANGES];

/** A few changes to one input; `donor` gives parts. */
export function mutate(input: Uint8Array, donor: Uint8Array, random: Random): Uint8Array {
  if (random.chance(4)) return clipped(mutateBytes(input, donor, random));
  const tree = parseTree(input);
  const other = nodesOf(parseTree(donor));
  for (let changes = 1 + random.below(3); changes > 0; changes--) {
    random.pick(CHANGES)?.(nodesOf(tree), other, random);
  }
  return clipped(encodeTree(tree));
}

const clipped = (bytes: Uint8Array): Uint8Array => bytes.subarray(0, MAX_INPUT_BYTES);
