/**
 * docker-compose.yml says what the project promises: two monitors that share nothing but bitcoind's
 * network, a manager without bitcoind, own volumes, a health check everywhere. `docker-compose config`
 * is asked too where it is installed.
 */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import {
  envName as managerEnv,
  OPTIONS as MANAGER_OPTIONS,
} from "@farwatch/manager-service/config";
import {
  envName as monitorEnv,
  OPTIONS as MONITOR_OPTIONS,
} from "@farwatch/monitor-service/config-options";
import { parse } from "yaml";
import { z } from "zod";

const root = path.resolve(import.meta.dirname, "../../..");
const file = path.join(root, "docker-compose.yml");

const Compose = z.object({
  services: z.record(
    z.string(),
    z.object({
      networks: z.array(z.string()),
      volumes: z.array(z.string()),
      ports: z.array(z.string()).optional(),
      healthcheck: z.object({ test: z.array(z.string()).min(2) }),
      build: z.object({ context: z.string(), dockerfile: z.string() }).optional(),
      image: z.string(),
      environment: z.record(z.string(), z.string()).optional(),
    }),
  ),
  networks: z.record(z.string(), z.unknown()),
  volumes: z.record(z.string(), z.unknown()),
});

describe("docker-compose.yml", () => {
  const compose = Compose.parse(parse(fs.readFileSync(file, "utf8"), { merge: true }));
  const service = (name: string) => {
    const found = compose.services[name];
    assert.ok(found, `service ${name}`);
    return found;
  };
  const shared = (a: string, b: string): string[] =>
    service(a).networks.filter((network) => service(b).networks.includes(network));

  it("describes bitcoind, two monitors and a manager", () => {
    assert.deepEqual(Object.keys(compose.services).sort(), [
      "bitcoind",
      "manager",
      "monitor-a",
      "monitor-b",
    ]);
  });

  it("lets the two monitors share only bitcoind's network", () => {
    assert.deepEqual(shared("monitor-a", "monitor-b"), ["chain"]);
    assert.deepEqual(service("bitcoind").networks, ["chain"]);
  });

  it("joins the manager to each monitor and not to bitcoind", () => {
    assert.deepEqual(shared("manager", "bitcoind"), []);
    assert.deepEqual(shared("manager", "monitor-a"), ["monitor-a"]);
    assert.deepEqual(shared("manager", "monitor-b"), ["monitor-b"]);
  });

  it("gives every service volumes of its own, all declared", () => {
    const used = Object.values(compose.services).flatMap(({ volumes }) =>
      volumes.map((volume) => volume.split(":")[0] ?? ""),
    );
    assert.equal(new Set(used).size, used.length, "no volume is shared");
    assert.deepEqual([...used].sort(), Object.keys(compose.volumes).sort());
  });

  it("declares every network it uses", () => {
    for (const { networks } of Object.values(compose.services)) {
      for (const network of networks) assert.ok(network in compose.networks, network);
    }
  });

  it("checks every service's health", () => {
    for (const [name, { healthcheck }] of Object.entries(compose.services)) {
      assert.match(healthcheck.test[0] ?? "", /^CMD/, name);
    }
  });

  it("publishes nothing beyond loopback", () => {
    for (const { ports } of Object.values(compose.services)) {
      for (const port of ports ?? []) assert.match(port, /^127\.0\.0\.1:/);
    }
  });

  it("builds the services from Dockerfiles that exist, and tags images by version", () => {
    for (const [name, { build, image }] of Object.entries(compose.services)) {
      assert.match(image, /:\d+\.\d+(\.\d+)?$/, `${name} image`);
      if (build !== undefined) assert.ok(fs.existsSync(path.join(root, build.dockerfile)), name);
    }
  });

  it("sets only options that the services know", () => {
    const known = new Set([...MONITOR_OPTIONS.map(monitorEnv), ...MANAGER_OPTIONS.map(managerEnv)]);
    for (const { environment } of Object.values(compose.services)) {
      for (const name of Object.keys(environment ?? {})) assert.ok(known.has(name), name);
    }
  });

  it("is accepted by docker-compose where that is installed", () => {
    const config = spawnSync("docker-compose", ["-f", file, "config", "--quiet"], {
      encoding: "utf8",
    });
    // Not installed: the checks above stand alone. Installed: its verdict counts.
    if (config.error === undefined) assert.equal(config.status, 0, config.stderr);
    else assert.match(String(config.error), /ENOENT/);
  });
});
