/**
 * Every option that is one value, with its default and why; [[managers]] is a table and stands in the
 * file only. The environment variable of an option is ENV_PREFIX and its key in capitals.
 */
export const ENV_PREFIX = "FARWATCH_MONITOR_";
export const DEFAULT_CONFIG_FILE = "/etc/farwatch/farwatch-monitor.toml";
export const DEFAULT_LISTEN = "127.0.0.1:9912";
/** Seconds; as the chain follower's own default. */
export const DEFAULT_POLL_SECONDS = 5;
/** Satoshis per virtual byte; as the claim engine's own default. */
export const DEFAULT_MAX_FEERATE_SAT_PER_VBYTE = 1_000;
/** About a day: sweeps are in no hurry. */
export const DEFAULT_SWEEP_EVERY_BLOCKS = 144;

export type OptionKind = "text" | "switch" | "path" | "number";

export interface Option {
  /** Place in the file. */
  readonly key: string;
  /** Command line flag; undefined for a secret, which other users of the host could read there. */
  readonly flag: string | undefined;
  readonly kind: OptionKind;
  /** undefined: must be given, or is one of several that together must. */
  readonly defaultValue: string | boolean | number | undefined;
  readonly help: string;
  readonly why: string;
}

export const envName = ({ key }: Option): string =>
  ENV_PREFIX + key.replaceAll(".", "_").toUpperCase();

const option = (
  key: string,
  kind: OptionKind,
  defaultValue: Option["defaultValue"],
  help: string,
  why: string,
): Option => ({ key, flag: `--${key.replaceAll(/[._]/g, "-")}`, kind, defaultValue, help, why });

const GENERAL: readonly Option[] = [
  option(
    "network",
    "text",
    undefined,
    "regtest, signet, testnet4, testnet or bitcoin",
    "no default: signed bytes name the chain, and a wrong guess would sign for another one",
  ),
  option(
    "listen",
    "text",
    DEFAULT_LISTEN,
    "host:port of the gRPC server; port 0 takes a free one",
    "loopback, so that exposing the monitor is a decision",
  ),
  option(
    "data_dir",
    "path",
    "~/.farwatch-monitor/<network>",
    "folder of the database and, unless set elsewhere, of the key and the seed",
    "one folder to back up, and one for each network",
  ),
  option(
    "key_file",
    "path",
    "<data_dir>/monitor.key",
    "file with the secret that signs receipts and events: 64 hex characters, mode 0600",
    "a file, because a secret on a command line or in the environment can be read by others",
  ),
  option(
    "create_keys",
    "switch",
    false,
    "draw the secret when key_file does not exist; the seed is never drawn",
    "off: a missing key usually means a wrong folder, and managers refuse a new key",
  ),
  option(
    "seed_file",
    "path",
    "<data_dir>/channel.seed",
    "file with the node's 32-byte seed, sealed, raw or as 64 hex characters, mode 0600",
    "channel keys come from it; another seed than the node's cannot claim, and is refused by channel",
  ),
  option(
    "no_channel_keys",
    "switch",
    false,
    "hold no channel keys: neither seed_file nor key_store may exist, and channels are penalty-only",
    "off: a missing seed usually means a wrong folder, and channels with keys are refused without it",
  ),
  option(
    "key_store",
    "path",
    "<data_dir>/channel.keys",
    "sealed file with the secrets of single channels; `keys import` writes it",
    "for nodes whose seed must not be here; channels in it do not need the seed",
  ),
  option(
    "passphrase_file",
    "path",
    undefined,
    "file whose first line opens key_store and a sealed seed, mode 0600, or a systemd credential",
    "no default: a passphrase beside what it opens protects only copies of the disk without it",
  ),
  option(
    "floor_file",
    "path",
    "<data_dir>/holder.floors",
    "file with the oldest commitment of each channel that may still be signed; no secret",
    "apart from the database: leave it out of backups, so that a restored database is noticed",
  ),
  option(
    "curve",
    "text",
    "auto",
    "auto, noble or tiny-secp256k1",
    "auto takes the faster one only after it passed the self-test",
  ),
  option(
    "log_level",
    "text",
    "info",
    "debug, info, warn, error or silent",
    "info has one line for each call, broadcast and alarm, none for each update",
  ),
];

const TLS: readonly Option[] = [
  option(
    "tls.ca",
    "path",
    undefined,
    "PEM file of the authority that signs managers' certificates",
    "no default: whom to trust is the operator's decision",
  ),
  option(
    "tls.cert",
    "path",
    undefined,
    "PEM file of this monitor's certificate",
    "no default: there is no mode without TLS",
  ),
  option(
    "tls.key",
    "path",
    undefined,
    "PEM file of the certificate's private key",
    "no default, as for the certificate",
  ),
];

const BITCOIND: readonly Option[] = [
  option(
    "bitcoind.url",
    "text",
    undefined,
    "http://host:port of bitcoind's RPC, without a login",
    "no default: following another node by accident looks like protection and is none",
  ),
  option(
    "bitcoind.cookie_file",
    "path",
    undefined,
    "bitcoind's .cookie file; used first when a user is given too",
    "no default: its place depends on bitcoind's data folder",
  ),
  option(
    "bitcoind.user",
    "text",
    undefined,
    "RPC user, where no cookie file can be read",
    "no default: one of cookie_file and user is needed",
  ),
  {
    key: "bitcoind.password",
    flag: undefined,
    kind: "text",
    defaultValue: undefined,
    help: "RPC password of the user; password_file is the better place",
    why: "no flag: a command line can be read by every user of the host",
  },
  option(
    "bitcoind.password_file",
    "path",
    undefined,
    "file with the RPC password on one line",
    "no default: needed only with a user and without a password",
  ),
  option(
    "bitcoind.wallet",
    "text",
    undefined,
    "name of a loaded wallet of bitcoind that pays fees of our own commitment on anchor channels",
    "optional: spending the operator's coins is a decision; without it the commitment goes out with " +
      "the fee it has, and its HTLC outputs cannot be claimed",
  ),
  option(
    "bitcoind.zmq_hashblock",
    "text",
    undefined,
    "tcp://host:port of zmqpubhashblock",
    "optional: a hint only, blocks are found without it at the next poll",
  ),
  option(
    "bitcoind.poll_interval_seconds",
    "number",
    DEFAULT_POLL_SECONDS,
    "how often bitcoind is asked for its tip, 0.1 to 60",
    "how late a block may be seen without ZMQ: one cheap call against seconds of an expiring HTLC",
  ),
];

const FEES: readonly Option[] = [
  option(
    "fees.wallet",
    "text",
    "bitcoind with bitcoind.wallet, else none",
    "who pays for our own commitments on anchor channels: none, bitcoind, or events",
    "events asks the managers' own wallets over their event streams: their coins stay on their hosts",
  ),
  option(
    "fees.max_feerate_sat_per_vbyte",
    "number",
    DEFAULT_MAX_FEERATE_SAT_PER_VBYTE,
    "highest feerate of claims whose fee is ours to choose, 10 to 10000",
    "above every block so far: a lower limit risks claims in a fee spike, a claim at it is logged",
  ),
];

const SWEEP: readonly Option[] = [
  option(
    "sweep.address",
    "text",
    undefined,
    "address to which our own delayed and to_remote outputs are swept",
    "optional: without it and sweep.descriptor those outputs are told to the node, which sweeps them",
  ),
  option(
    "sweep.descriptor",
    "text",
    undefined,
    "output descriptor without private keys, ranged or not, in place of the address",
    "optional: a ranged one gives every sweep an address of its own",
  ),
  option(
    "sweep.every_blocks",
    "number",
    DEFAULT_SWEEP_EVERY_BLOCKS,
    "blocks an output waits for others to share a transaction with, 1 to 1008",
    "about a day: outputs of one close mature at different heights, and together they cost less",
  ),
];

export const OPTIONS: readonly Option[] = [...GENERAL, ...TLS, ...BITCOIND, ...FEES, ...SWEEP];
