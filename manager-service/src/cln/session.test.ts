/** A channel that the manager-service refuses does not keep the others from being protected. */
import assert from "node:assert/strict";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { credentials, Server, ServerCredentials, type ServerDuplexStream } from "@grpc/grpc-js";
import { toHex } from "@farwatch/protocol/bytes";
import { refusalToDetail } from "@farwatch/protocol/convert/error";
import * as wire from "@farwatch/protocol/gen/manager/v1/manager_service";
import { channelId } from "@farwatch/protocol/ids";
import { refuse } from "@farwatch/protocol/reasons";
import { ConnectionLost, ManagerRpc } from "../ldk/manager-rpc.js";
import { PenaltyQueue } from "./queue.js";
import { MAX_IN_FLIGHT, Session } from "./session.js";

const REFUSED = channelId("01".repeat(32));
const OTHER = channelId("02".repeat(32));

type Updates = ServerDuplexStream<wire.UpdateChannelRequest, wire.UpdateChannelResponse>;

/** Refuses every update of one channel, once the window is full of them; completes those of others. */
class RefusingManager {
  readonly #server = new Server();
  readonly #held: wire.UpdateChannelRequest[] = [];
  port = 0;

  async start(): Promise<void> {
    const { ManagerServiceService: service } = wire;
    const unary = (answer: unknown) => (_call: unknown, done: (e: null, a: unknown) => void) =>
      done(null, answer);
    this.#server.addService(
      {
        openNodeSession: service.openNodeSession,
        watchChannel: service.watchChannel,
        updateChannel: service.updateChannel,
        subscribe: service.subscribe,
      },
      {
        openNodeSession: unary({ sessionId: Buffer.alloc(16), channels: [], ownedInbound: [] }),
        watchChannel: unary({ acceptedId: 0n, headHash: Buffer.alloc(32), completed: true }),
        subscribe: () => undefined,
        updateChannel: (call: Updates) =>
          void call.on("data", (update: wire.UpdateChannelRequest) => this.#answer(call, update)),
      },
    );
    this.port = await new Promise((resolve, reject) => {
      const insecure = ServerCredentials.createInsecure();
      this.#server.bindAsync("127.0.0.1:0", insecure, (error, port) => {
        if (error === null) resolve(port);
        else reject(error);
      });
    });
  }

  stop(): void {
    this.#server.forceShutdown();
  }

  #answer(call: Updates, update: wire.UpdateChannelRequest): void {
    const { channelId: id, updateId } = update;
    if (toHex(id) === REFUSED) {
      this.#held.push(update);
      if (this.#held.length < MAX_IN_FLIGHT) return;
      const error = refusalToDetail(refuse("notYourChannel", "another node's"));
      for (const held of this.#held.splice(0)) {
        const value = { ...held, error, expectedUpdateId: 0n };
        call.write({ item: { $case: "refused", value } });
      }
      return;
    }
    const accepted = { channelId: id, updateId, updateHash: Buffer.alloc(32) };
    call.write({ item: { $case: "accepted", value: accepted } });
    const none = { eventWatermark: 0n, itemWatermark: 0n, closed: false };
    call.write({ item: { $case: "completed", value: { channelId: id, updateId, ...none } } });
  }
}

describe("a session of the Core Lightning plugin", function () {
  this.timeout(20_000);

  it("hands over other channels' penalties when a full window was refused", async () => {
    const folder = fs.mkdtempSync(path.join(os.tmpdir(), "farwatch-cln-session-"));
    const queue = PenaltyQueue.open(path.join(folder, "penalties.db"));
    const manager = new RefusingManager();
    await manager.start();
    try {
      const add = (channel: typeof OTHER, nth: number): number =>
        queue.add({ channelId: channel, subject: `${nth}`, payload: Uint8Array.of(nth & 0xff) }, 1);
      for (let nth = 0; nth < MAX_IN_FLIGHT; nth++) add(REFUSED, nth);
      const wanted = add(OTHER, MAX_IN_FLIGHT);
      const rpc = new ManagerRpc(`127.0.0.1:${manager.port}`, credentials.createInsecure());
      let running: Promise<unknown> = Promise.resolve();
      const durable = new Promise<readonly number[]>((resolve) => {
        const host = { connected: () => undefined, durable: resolve, told: () => undefined };
        const names = { nodeKey: Buffer.alloc(33, 2), nodeEpoch: 1n, chainHash: "00".repeat(32) };
        const session = new Session(rpc, { queue, host, ...names, nowMs: () => 1 });
        running = session.run();
        setTimeout(() => session.fail(new ConnectionLost("the test is over")), 5_000);
      });
      const over = await Promise.race([durable, running.then(() => "nothing was handed over")]);
      assert.deepEqual(over, [wanted]);
      rpc.close();
    } finally {
      manager.stop();
      queue.close();
      fs.rmSync(folder, { recursive: true });
    }
  });
});
