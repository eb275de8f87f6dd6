/**
 * How this monitor logs in to bitcoind: the cookie file first, because it is renewed at every start of
 * bitcoind and never copied; else user and password. Both given is probably a mistake, so it is told.
 */
import fs from "node:fs";
import type { RpcAuth } from "./chain/bitcoind-rpc.js";
import { ConfigError } from "./config-error.js";
import type { BitcoindConfig } from "./config.js";

export interface BitcoindLogin {
  readonly auth: RpcAuth;
  /** For the log; contains no login. */
  readonly warning: string | undefined;
}

const BOTH = "bitcoind: cookie_file and user are both given; the cookie file is used";

/** Throws ConfigError `bitcoind.password_file` when it cannot be read or is empty. */
export function bitcoindLogin(config: BitcoindConfig): BitcoindLogin {
  const { cookieFile, user } = config;
  if (cookieFile !== undefined) {
    const warning = user === undefined ? undefined : BOTH;
    return { auth: { kind: "cookie", path: cookieFile }, warning };
  }
  if (user === undefined) throw new ConfigError("bitcoind.cookie_file", "no login is given");
  const password = config.password ?? readPassword(config.passwordFile);
  return { auth: { kind: "password", user, password }, warning: undefined };
}

function readPassword(file: string | undefined): string {
  const key = "bitcoind.password_file";
  if (file === undefined) throw new ConfigError(key, "no password is given");
  let password: string;
  try {
    password = fs.readFileSync(file, "utf8").replace(/\r?\n$/, "");
  } catch (cause) {
    throw new ConfigError(key, `cannot read ${file}`, { cause });
  }
  if (password === "") throw new ConfigError(key, `${file} is empty`);
  return password;
}
