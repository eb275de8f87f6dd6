/** What a configuration may look like, key by key. Strict: a key that is not here is refused. */
import { z } from "zod";
import { LOG_LEVELS } from "./observe/log.js";
import { NETWORKS } from "./networks.js";

const hex = (bytes: number) =>
  z
    .string()
    .regex(new RegExp(`^[0-9a-f]{${bytes * 2}}$`), `expected ${bytes} bytes of lowercase hex`);
const file = z.string().min(1, "expected a file name");
const name = z
  .string()
  .regex(/^[a-z0-9][a-z0-9._-]{0,62}$/i, "expected 1 to 63 letters, digits, dots or dashes");

/** "host:port", with an IPv6 host in brackets. */
const isHostPort = (text: string): boolean => {
  const port = /^(?:\[[0-9a-f:.]+\]|[^\s:/[\]]+):(\d{1,5})$/i.exec(text)?.[1];
  return port !== undefined && Number(port) <= 0xffff;
};
const hostPort = z.string().refine(isHostPort, "expected host:port");

const MonitorTable = z
  .strictObject({
    name,
    address: hostPort,
    monitor_key: hex(32),
    ca: file.optional(),
    cert: file.optional(),
    key: file.optional(),
  })
  .refine(({ cert, key }) => (cert === undefined) === (key === undefined), {
    path: ["cert"],
    message: "cert and key are given together or not at all",
  });

const NodeTable = z.strictObject({
  name,
  node_key: hex(33).regex(/^0[23]/, "expected a compressed public key"),
  spki_sha256: hex(32),
  admin: z.boolean().default(false),
});

/** No two entries may have the same value of this field. */
const distinct =
  <F extends string>(field: F) =>
  (entries: readonly Readonly<Record<F, string>>[]): boolean =>
    new Set(entries.map((entry) => entry[field])).size === entries.length;

export const ConfigShape = z.strictObject({
  network: z.enum(NETWORKS),
  listen: hostPort.default("127.0.0.1:9913"),
  data_dir: file.optional(),
  key_file: file.optional(),
  create_keys: z.boolean().default(false),
  curve: z.enum(["auto", "noble", "tiny-secp256k1"]).default("auto"),
  log_level: z.enum(LOG_LEVELS).default("info"),
  tls: z.strictObject({ ca: file, cert: file, key: file }),
  nodes: z
    .array(NodeTable)
    .min(1, "at least one node")
    .refine(distinct("name"), "two nodes have the same name")
    .refine(distinct("spki_sha256"), "two nodes have the same spki_sha256"),
  // With no monitor every update would be durable on all of them at once.
  monitors: z
    .array(MonitorTable)
    .min(1, "at least one monitor")
    .refine(distinct("name"), "two monitors have the same name")
    .refine(distinct("monitor_key"), "two monitors have the same monitor_key"),
});

export type ConfigInput = z.output<typeof ConfigShape>;
