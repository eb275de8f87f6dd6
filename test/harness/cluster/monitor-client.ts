/** A monitor asked directly, with the manager's certificate: what an operator's tool would do. */
import { credentials } from "@grpc/grpc-js";
import fs from "node:fs";
import { fromHex } from "@farwatch/protocol/bytes";
import {
  MonitorServiceClient,
  type GetChannelResponse,
  type GetInfoResponse,
  type ListPendingEventsResponse,
} from "@farwatch/protocol/gen/monitor/v1/monitor_service";
import type { MonitorEvent } from "@farwatch/protocol/gen/monitor/v1/event";
import type { ChannelId } from "@farwatch/protocol/ids";
import type { Leaf } from "./tls.js";

type Done<T> = (error: Error | null, value: T) => void;

export class MonitorClient {
  readonly rpc: MonitorServiceClient;

  constructor(address: string, caFile: string, leaf: Leaf) {
    const read = (file: string): Buffer => fs.readFileSync(file);
    this.rpc = new MonitorServiceClient(
      address,
      credentials.createSsl(read(caFile), read(leaf.keyFile), read(leaf.certFile)),
    );
  }

  call<T>(start: (done: Done<T>) => unknown): Promise<T> {
    return new Promise((resolve, reject) => {
      start((error, value) => (error === null ? resolve(value) : reject(error)));
    });
  }

  async pendingEvents(): Promise<readonly MonitorEvent[]> {
    const { events } = await this.call<ListPendingEventsResponse>((done) =>
      this.rpc.listPendingEvents({ channelId: undefined }, done),
    );
    return events.flatMap(({ event }) => (event === undefined ? [] : [event]));
  }

  channel(id: ChannelId): Promise<GetChannelResponse> {
    const request = { channelId: Buffer.from(fromHex(id)) };
    return this.call((done: Done<GetChannelResponse>) => this.rpc.getChannel(request, done));
  }

  info(): Promise<GetInfoResponse> {
    return this.call((done: Done<GetInfoResponse>) => this.rpc.getInfo({}, done));
  }

  close(): void {
    this.rpc.close();
  }
}
