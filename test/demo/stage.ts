/** bitcoind, a monitor and a manager as processes of their own, started and wired. */
import { must } from "@farwatch/protocol/assert";
import { startRegtest, type Regtest } from "../harness/bitcoind/node.js";
import { createCluster, type Cluster } from "../harness/cluster/cluster.js";
import type { Timeline } from "./timeline.js";

export interface Stage {
  readonly bitcoind: Regtest;
  readonly cluster: Cluster;
}

export async function setStage(seed: Uint8Array, timeline: Timeline): Promise<Stage> {
  timeline.chapter("The stage");
  const bitcoind = await startRegtest({ zmq: true });
  timeline.say(`bitcoind (regtest) runs as pid ${bitcoind.pid}`);
  await bitcoind.mine(101);
  const cluster = await createCluster({ bitcoind, seed });
  await cluster.startAll();
  const [monitor] = cluster.monitors;
  timeline.say(`monitor-service runs as pid ${must(monitor, "monitor").process.pid}`);
  timeline.say(`manager-service runs as pid ${cluster.manager.pid}; they talk over mutual TLS`);
  return { bitcoind, cluster };
}
