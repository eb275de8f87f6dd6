/**
 * The monitor under measurement: the shipped service as its own process, on real SQLite in a temporary
 * folder, over gRPC with mutual TLS; this process plays its manager.
 */
import path from "node:path";
import { must } from "@farwatch/protocol/assert";
import { toHex } from "@farwatch/protocol/bytes";
import type { Curve } from "@farwatch/protocol/curve/curve";
import type {
  AckEventsRequest,
  OpenSessionResponse,
  UpdateChannelRequest,
  WatchChannelResponse,
} from "@farwatch/protocol/gen/monitor/v1/monitor_service";
import { monitorKey, storeId, type MonitorKey, type StoreId } from "@farwatch/protocol/ids";
import { TestManager, type AckedEvent } from "../contract/shell/test-manager.js";
import { startRegtest, type Regtest } from "../harness/bitcoind/node.js";
import { createCluster } from "../harness/cluster/cluster.js";
import type { MonitorClient } from "../harness/cluster/monitor-client.js";
import { chunksOf, type PlannedChannel, type PlannedUpdate } from "./workload.js";

/** WatchChannel calls under way at once. */
const WATCHES_AT_ONCE = 8;

interface Address {
  readonly monitorKey: MonitorKey;
  readonly storeId: StoreId;
}

export class MonitorUnderTest {
  private constructor(
    readonly client: MonitorClient,
    private readonly manager: TestManager,
    private readonly address: Address,
    /** A temporary folder for whatever else a measurement needs. */
    readonly folder: string,
    /** Where its database is. */
    readonly dataFolder: string,
    readonly stop: () => Promise<void>,
  ) {}

  /** Ready for updates: the session is open. `seed`: the node's. `given`: is left running. */
  static async start(curve: Curve, seed: Uint8Array, given?: Regtest): Promise<MonitorUnderTest> {
    const bitcoind = given ?? (await startRegtest());
    const undo = given === undefined ? [() => bitcoind.stop()] : [];
    const stop = async (): Promise<void> => {
      for (const step of undo.splice(0).toReversed()) await step();
    };
    try {
      await bitcoind.mine(1); // with a recent tip bitcoind is past its initial download
      const cluster = await createCluster({ bitcoind, seed });
      undo.push(() => cluster.stop());
      const handle = must(cluster.monitors[0], "a monitor");
      await handle.process.start();
      const client = handle.connect();
      undo.push(() => Promise.resolve(client.close()));
      const info = await client.info();
      const address: Address = {
        monitorKey: monitorKey(toHex(info.monitorKey)),
        storeId: storeId(toHex(info.storeId)),
      };
      const manager = new TestManager(curve, cluster.managerSecret);
      const { header, signature } = manager.session(address);
      const request = { header: buffer(header), signature: buffer(signature) };
      await client.call<OpenSessionResponse>((done) => client.rpc.openSession(request, done));
      const dataFolder = path.join(cluster.folder, handle.name);
      return new MonitorUnderTest(client, manager, address, cluster.folder, dataFolder, stop);
    } catch (error) {
      await stop();
      throw error;
    }
  }

  get epoch(): bigint {
    return this.manager.epoch;
  }

  async watch(channels: readonly PlannedChannel[]): Promise<void> {
    for (const some of chunksOf(channels, WATCHES_AT_ONCE)) {
      await Promise.all(some.map(({ initial }) => this.#watch(initial)));
    }
  }

  async #watch(initial: PlannedChannel["initial"]): Promise<void> {
    const { batch, header, payload } = this.manager.watch(initial);
    const request = {
      header: buffer(header),
      payload: buffer(payload),
      signature: buffer(batch.signature),
      batchHeader: buffer(batch.header),
    };
    const { rpc } = this.client;
    await this.client.call<WatchChannelResponse>((done) => rpc.watchChannel(request, done));
  }

  /** Signs now, so that the manager's own work is not part of what is measured later. */
  sign(updates: readonly PlannedUpdate[]): UpdateChannelRequest {
    const signed = updates.map(({ channelId, payload, payloadType = "typedSteps" }) =>
      this.manager.payloadUpdate(channelId, payload, { payloadType }),
    );
    const { header, signature } = this.manager.batch(...signed);
    return {
      batch: {
        header: buffer(header),
        signature: buffer(signature),
        updates: signed.map((update) => ({
          header: buffer(update.header),
          payload: buffer(update.payload),
        })),
      },
    };
  }

  acks(events: readonly AckedEvent[]): AckEventsRequest {
    const { header, signature, acks } = this.manager.acks(this.address, ...events);
    return {
      header: buffer(header),
      signature: buffer(signature),
      acks: acks.map((ack) => ({ header: buffer(ack) })),
    };
  }
}

const buffer = (bytes: Uint8Array): Buffer =>
  Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
