/** What the plugin tells lightningd of itself, and the options it gets back (`getmanifest`, `init`). */
import { join } from "node:path";
import { z } from "zod";
import { NETWORKS, type Network } from "../networks.js";

const DEFAULT_WAIT_SECONDS = 30;

const OPTIONS = [
  option(
    "farwatch-manager",
    "host:port of the farwatch-manager; without it the plugin is disabled",
  ),
  option("farwatch-dir", "folder of the queue of penalty transactions (default: farwatch here)"),
  option("farwatch-ca", "certificate authority of the manager (default: ca.pem in farwatch-dir)"),
  option("farwatch-cert", "certificate of this node (default: node.pem in farwatch-dir)"),
  option("farwatch-key", "private key of that certificate (default: node-key.pem in farwatch-dir)"),
  option(
    "farwatch-answer",
    "when commitment_revocation is answered: queued (on this disk) or durable (on every monitor)",
    "queued",
  ),
  {
    name: "farwatch-answer-seconds",
    type: "int",
    default: DEFAULT_WAIT_SECONDS,
    description: "with farwatch-answer=durable: seconds after which queued is enough; 0: never",
  },
] as const;

function option(name: string, description: string, initial?: string) {
  const given = { name, type: "string", description } as const;
  return initial === undefined ? given : ({ ...given, default: initial } as const);
}

export const MANIFEST = {
  options: OPTIONS,
  rpcmethods: [
    {
      name: "farwatch-status",
      usage: "",
      description: "Penalty transactions that are not durable yet, and what monitors told.",
    },
  ],
  hooks: [{ name: "commitment_revocation" }],
  subscriptions: ["channel_state_changed", "shutdown"],
  nonnumericids: true,
  dynamic: true,
} as const;

export interface Settings {
  /** host:port. */
  readonly manager: string;
  readonly network: Network;
  readonly queueFile: string;
  readonly tls: { readonly ca: string; readonly cert: string; readonly key: string };
  /** undefined: a hook is answered as soon as its transaction is queued. */
  readonly waitMs: number | undefined;
  /** lightningd's own JSON-RPC. */
  readonly rpcSocket: string;
}

const text = z.string().min(1).optional();
const init = z.object({
  options: z.object({
    "farwatch-manager": text,
    "farwatch-dir": text,
    "farwatch-ca": text,
    "farwatch-cert": text,
    "farwatch-key": text,
    "farwatch-answer": z.enum(["queued", "durable"]).default("queued"),
    "farwatch-answer-seconds": z.number().int().min(0).default(DEFAULT_WAIT_SECONDS),
  }),
  configuration: z.object({
    "lightning-dir": z.string(),
    "rpc-file": z.string(),
    network: z.enum(NETWORKS),
  }),
});

/** A string says why the plugin disables itself. */
export function readInit(params: unknown): Settings | string {
  const read = init.safeParse(params);
  if (!read.success) {
    const [issue] = read.error.issues;
    return `farwatch: ${issue?.path.join(".") ?? "init"}: ${issue?.message ?? "not understood"}`;
  }
  const { options, configuration } = read.data;
  const manager = options["farwatch-manager"];
  if (manager === undefined) return "farwatch-manager is not set";
  const home = configuration["lightning-dir"];
  const folder = options["farwatch-dir"] ?? join(home, "farwatch");
  const seconds = options["farwatch-answer-seconds"];
  return {
    manager,
    network: configuration.network,
    queueFile: join(folder, "penalties.db"),
    tls: {
      ca: options["farwatch-ca"] ?? join(folder, "ca.pem"),
      cert: options["farwatch-cert"] ?? join(folder, "node.pem"),
      key: options["farwatch-key"] ?? join(folder, "node-key.pem"),
    },
    waitMs: options["farwatch-answer"] === "queued" ? undefined : seconds * 1000,
    rpcSocket: join(home, configuration["rpc-file"]),
  };
}
