/**
 * For tests: everything a monitor needs on disk (certificates, key, seed, configuration), a bitcoind
 * that can be switched on and off behind one URL, and stores that already know a block.
 */
import { randomBytes } from "node:crypto";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { Client, credentials, Metadata } from "@grpc/grpc-js";
import { service } from "grpc-health-check";
import { z } from "zod";
import { must } from "@farwatch/protocol/assert";
import { reversed, toHex } from "@farwatch/protocol/bytes";
import type { BlockHeader } from "@farwatch/monitor-service/chain/chain-source";
import { FakeChain } from "@farwatch/monitor-service/chain/testing/fake-chain";
import {
  callOf,
  idOf,
  serve,
  type LocalHttp,
} from "@farwatch/monitor-service/chain/testing/local-http";
import { STORE_FILE } from "@farwatch/monitor-service/app";
import { openSqliteStore } from "@farwatch/monitor-service/store/sqlite/sqlite-store";
import { MonitorClient } from "../harness/cluster/monitor-client.js";
import { createAuthority, type Leaf } from "../harness/cluster/tls.js";
import { REGTEST_CHAIN_HASH } from "../harness/channel/setup.js";

const OWNER_ONLY = 0o600;

export interface MonitorFiles {
  readonly folder: string;
  readonly configFile: string;
  /** A client with the configured manager's certificate. */
  client(port: number): MonitorClient;
  /** The gRPC health status of a service name, as its enum name. */
  health(port: number, name: string): Promise<string>;
  /** Creates the store with this chain's tip in it, as a monitor that ran before has it. */
  storeWithTip(header: BlockHeader): Promise<void>;
  remove(): void;
}

export async function monitorFiles(
  bitcoindUrl: string,
  managerKey: string,
  port = 0,
): Promise<MonitorFiles> {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), "farwatch-monitor-app-"));
  const authority = await createAuthority(path.join(folder, "tls"));
  const own = await authority.issue("monitor");
  const manager = await authority.issue("manager");
  const dataDir = path.join(folder, "data");
  fs.mkdirSync(dataDir, { mode: 0o700 });
  for (const name of ["monitor.key", "channel.seed"]) {
    const file = path.join(dataDir, name);
    fs.writeFileSync(file, toHex(randomBytes(32)), { mode: OWNER_ONLY });
  }
  const configFile = path.join(folder, "monitor.toml");
  const config = `network = "regtest"
listen = "127.0.0.1:${port}"
data_dir = "data"
curve = "noble"
[tls]
ca = "${authority.caFile}"
cert = "${own.certFile}"
key = "${own.keyFile}"
[bitcoind]
url = "${bitcoindUrl}"
user = "farwatch"
password = "hunter2"
poll_interval_seconds = 0.1
[[managers]]
name = "manager"
manager_key = "${managerKey}"
spki_sha256 = "${manager.spkiSha256}"
admin = true
`;
  fs.writeFileSync(configFile, config, { mode: OWNER_ONLY });
  return {
    folder,
    configFile,
    client: (at) => new MonitorClient(`localhost:${at}`, authority.caFile, manager),
    health: (at, name) => healthOf(`localhost:${at}`, authority.caFile, manager, name),
    storeWithTip: (header) => storeWithTip(path.join(dataDir, STORE_FILE), header),
    remove: () => fs.rmSync(folder, { recursive: true, force: true }),
  };
}

async function storeWithTip(file: string, { height, hash, raw }: BlockHeader): Promise<void> {
  const store = await openSqliteStore({ path: file, chainHash: REGTEST_CHAIN_HASH, randomBytes });
  await store.transact([{ op: "putHeader", row: { height, hash, raw } }]);
  await store.close();
}

const CHECK = must(service["Check"], "grpc.health.v1.Health/Check");
const Answer = z.object({ status: z.string() });

function healthOf(address: string, caFile: string, leaf: Leaf, name: string): Promise<string> {
  const read = (file: string): Buffer => fs.readFileSync(file);
  const pems = [read(caFile), read(leaf.keyFile), read(leaf.certFile)] as const;
  const client = new Client(address, credentials.createSsl(...pems));
  return new Promise<string>((resolve, reject) => {
    client.makeUnaryRequest(
      CHECK.path,
      CHECK.requestSerialize,
      CHECK.responseDeserialize,
      { service: name },
      new Metadata(),
      { deadline: Date.now() + 5_000 },
      (error, answer) => {
        if (error === null) resolve(Answer.parse(answer).status);
        else reject(error);
      },
    );
  }).finally(() => client.close());
}

/** A bitcoind at the start of a regtest chain; answers nothing while it is not `up`. */
export class SwitchedBitcoind {
  up = false;
  /** Of its wallet; undefined: none is loaded. */
  balanceBtc: number | undefined;
  readonly chain = new FakeChain(3);
  #http: LocalHttp | undefined;

  static async start(): Promise<SwitchedBitcoind> {
    const bitcoind = new SwitchedBitcoind();
    bitcoind.#http = await serve((_, response, body) => {
      const result = bitcoind.up && body !== "" ? bitcoind.#answer(body) : undefined;
      response.statusCode = result === undefined ? 503 : 200;
      response.end(
        result === undefined ? "down" : JSON.stringify({ jsonrpc: "2.0", id: idOf(body), result }),
      );
    });
    return bitcoind;
  }

  get url(): string {
    return must(this.#http, "a started bitcoind").url;
  }
  get tip(): BlockHeader {
    return must(this.chain.best.at(-1), "a block").header;
  }
  async close(): Promise<void> {
    await this.#http?.close();
  }

  #answer(body: string): unknown {
    const { method, params } = callOf(body);
    const { hash, height } = this.tip;
    if (method === "getblockchaininfo") {
      return { chain: "regtest", blocks: height, bestblockhash: hash, initialblockdownload: false };
    }
    if (method === "getbalance") return this.balanceBtc;
    const [wanted] = Array.isArray(params) ? params : [];
    const block = this.chain.best.find(({ header }) => header.hash === wanted);
    return method === "getblockheader" && block !== undefined ? verbose(block.header) : undefined;
  }
}

/** A header as getblockheader tells it. */
function verbose({ hash, previousHash, merkleRoot, height, bits, time, raw }: BlockHeader) {
  const view = new DataView(raw.buffer, raw.byteOffset);
  return {
    hash,
    height,
    version: view.getInt32(0, true),
    merkleroot: toHex(reversed(merkleRoot)),
    time,
    nonce: view.getUint32(76, true),
    bits: bits.toString(16).padStart(8, "0"),
    ...(height === 0 ? {} : { previousblockhash: previousHash }),
  };
}
