/** A manager-service and one monitor-service as shipped, in processes of their own, for one node's seed. */
import { startRegtest, type Regtest } from "../../harness/bitcoind/node.js";
import { createCluster, type Cluster } from "../../harness/cluster/cluster.js";
import type { NodeIdentity } from "../../harness/in-process-ldk/node.js";
import { RemoteNodeWatch } from "../../harness/ldk-node/remote-node-watch.js";
import type { Work } from "./work.js";

/** bitcoind for the monitors; the channels' chain is another one, so that no block costs them anything. */
export async function withBitcoind<T>(run: (bitcoind: Regtest) => Promise<T>): Promise<T> {
  const bitcoind = await startRegtest();
  try {
    await bitcoind.mine(1); // with a recent tip bitcoind is past its initial download
    return await run(bitcoind);
  } finally {
    await bitcoind.stop();
  }
}

export async function withServices<T>(
  bitcoind: Regtest,
  seed: Uint8Array,
  run: (cluster: Cluster) => Promise<T>,
): Promise<T> {
  const cluster = await createCluster({ bitcoind, seed, feeWallet: "events" });
  try {
    await cluster.startAll();
    return await run(cluster);
  } finally {
    await cluster.stop();
  }
}

export const remoteWatch =
  ({ nodeAccess }: Cluster) =>
  ({ readers }: NodeIdentity, work: Work): RemoteNodeWatch =>
    new RemoteNodeWatch({
      plan: { kind: "remote", ...nodeAccess },
      readers,
      onWork: () => work.ready(),
      onAlarm: (text) => {
        throw new Error(`the watch raised an alarm: ${text}`);
      },
    });

export const pidsOf = ({ manager, monitors }: Cluster): readonly number[] => [
  manager.pid,
  ...monitors.map(({ process }) => process.pid),
];
