/** What a configuration may look like, key by key. Strict: a key that is not here is refused. */
import { z } from "zod";
import { NETWORKS } from "./config-networks.js";
import {
  DEFAULT_LISTEN,
  DEFAULT_MAX_FEERATE_SAT_PER_VBYTE,
  DEFAULT_SWEEP_EVERY_BLOCKS,
  DEFAULT_POLL_SECONDS,
} from "./config-options.js";
import { LOG_LEVELS } from "./observe/log.js";

/** Blocks, a week: an output that waits longer is forgotten by its owner. */
export const MAX_SWEEP_EVERY_BLOCKS = 1_008;

/** Seconds. Faster asks a busy node for nothing; slower lets the margin of an HTLC pass unseen. */
export const MIN_POLL_SECONDS = 0.1;
export const MAX_POLL_SECONDS = 60;
/** Satoshis per virtual byte. Below, an ordinary busy week already stops claims. */
export const LEAST_MAX_FEERATE = 10;
/** Satoshis per virtual byte. Above, a typing error is more likely than an intention. */
export const GREATEST_MAX_FEERATE = 10_000;

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

/** A login inside a URL ends up in logs and error messages. */
function isBareHttpUrl(text: string): boolean {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || !/^https?:$/.test(url.protocol)) return false;
  return url.username === "" && url.password === "" && /^\/?$/.test(url.pathname + url.search);
}
const httpUrl = z.string().refine(isBareHttpUrl, "expected http://host:port without a login");
const zmqEndpoint = z
  .string()
  .regex(/^(?:tcp:\/\/\S+:\d{1,5}|ipc:\/\/\S+)$/, "expected tcp://host:port");

const ManagerTable = z.strictObject({
  name,
  manager_key: hex(32),
  spki_sha256: hex(32),
  admin: z.boolean().default(false),
});

const BitcoindTable = z
  .strictObject({
    url: httpUrl,
    cookie_file: file.optional(),
    user: z.string().min(1, "expected a user name").optional(),
    password: z.string().min(1, "expected a password").optional(),
    password_file: file.optional(),
    wallet: z.string().min(1, "expected the name of a wallet").optional(),
    zmq_hashblock: zmqEndpoint.optional(),
    poll_interval_seconds: z
      .number()
      .min(MIN_POLL_SECONDS)
      .max(MAX_POLL_SECONDS)
      .default(DEFAULT_POLL_SECONDS),
  })
  .refine(({ cookie_file, user }) => cookie_file !== undefined || user !== undefined, {
    path: ["cookie_file"],
    message: "give cookie_file, or user with password_file",
  })
  .refine(({ password, password_file }) => password === undefined || password_file === undefined, {
    path: ["password"],
    message: "give password or password_file, not both",
  })
  .refine(
    ({ user, password, password_file }) =>
      (user === undefined) === (password === undefined && password_file === undefined),
    { path: ["user"], message: "user and a password are given together or not at all" },
  );

/** No two entries may have the same value of this field. */
const distinct =
  <F extends string>(field: F) =>
  (entries: readonly Readonly<Record<F, string>>[]): boolean =>
    new Set(entries.map((entry) => entry[field])).size === entries.length;

/** Who pays what cannot pay for itself. */
export const FEE_WALLETS = ["none", "bitcoind", "events"] as const;

const FeesTable = z.strictObject({
  wallet: z.enum(FEE_WALLETS).optional(),
  max_feerate_sat_per_vbyte: z
    .number()
    .min(LEAST_MAX_FEERATE)
    .max(GREATEST_MAX_FEERATE)
    .default(DEFAULT_MAX_FEERATE_SAT_PER_VBYTE),
});

/** A wallet that is named is the one that pays, and the other way round. */
const payerFits = ({
  bitcoind,
  fees,
}: {
  readonly bitcoind: { readonly wallet?: string | undefined };
  readonly fees: { readonly wallet?: (typeof FEE_WALLETS)[number] | undefined };
}): boolean =>
  fees.wallet === undefined || (fees.wallet === "bitcoind") === (bitcoind.wallet !== undefined);

const SweepTable = z
  .strictObject({
    address: z.string().min(1, "expected an address").optional(),
    descriptor: z.string().min(1, "expected a descriptor").optional(),
    every_blocks: z
      .number()
      .int()
      .min(1)
      .max(MAX_SWEEP_EVERY_BLOCKS)
      .default(DEFAULT_SWEEP_EVERY_BLOCKS),
  })
  .refine(({ address, descriptor }) => address === undefined || descriptor === undefined, {
    path: ["address"],
    message: "give address or descriptor, not both",
  });

export const ConfigShape = z
  .strictObject({
    network: z.enum(NETWORKS),
    listen: hostPort.default(DEFAULT_LISTEN),
    data_dir: file.optional(),
    key_file: file.optional(),
    create_keys: z.boolean().default(false),
    seed_file: file.optional(),
    no_channel_keys: z.boolean().default(false),
    floor_file: file.optional(),
    key_store: file.optional(),
    passphrase_file: file.optional(),
    curve: z.enum(["auto", "noble", "tiny-secp256k1"]).default("auto"),
    log_level: z.enum(LOG_LEVELS).default("info"),
    tls: z.strictObject({ ca: file, cert: file, key: file }),
    bitcoind: BitcoindTable,
    fees: FeesTable.prefault({}),
    sweep: SweepTable.prefault({}),
    // Two certificates of one manager may share its key: certificates are renewed one at a time.
    managers: z
      .array(ManagerTable)
      .min(1, "at least one manager")
      .refine(distinct("name"), "two managers have the same name")
      .refine(distinct("spki_sha256"), "two managers have the same spki_sha256"),
  })
  .refine(payerFits, {
    path: ["fees", "wallet"],
    message: "bitcoind needs bitcoind.wallet, and bitcoind.wallet goes with no other",
  })
  .refine(
    ({ sweep, managers }) =>
      (sweep.address === undefined && sweep.descriptor === undefined) ||
      new Set(managers.map(({ manager_key }) => manager_key)).size === 1,
    { path: ["sweep"], message: "would send the money of several managers to one place" },
  );

export type ConfigInput = z.output<typeof ConfigShape>;
