/**
 * The Core Lightning plugin (ADR G-11): each penalty transaction that lightningd makes is on this disk before
 * its hook is answered, and goes to the manager-service, which has its monitors hold it.
 *
 * lightningd has answered channeld before it calls the hook (lightningd/peer_htlcs.c, peer_got_revoke), so an
 * answer that takes its time holds up no payment; an answer that is an error ends lightningd. So there is
 * one answer, "continue", and it waits for the disk whatever happens.
 */
import { credentials } from "@grpc/grpc-js";
import { z } from "zod";
import { encodeUpdatePayload } from "@farwatch/protocol/convert/update";
import { channelId, type ChannelId } from "@farwatch/protocol/ids";
import { readTls } from "../tls-files.js";
import { CHAIN_HASHES } from "../networks.js";
import { HandOver } from "./hand-over.js";
import type { PluginIo, RpcMessage } from "./json-rpc.js";
import { askNodeId } from "./lightning-rpc.js";
import { MANIFEST, readInit, type Settings } from "./manifest.js";
import { PenaltyQueue } from "./queue.js";
import { readRevocation } from "./revocation.js";

const CONTINUE = { result: "continue" } as const;
/** Events in farwatch-status. */
const STATUS_EVENTS = 20;
const NO_SUCH_METHOD = "not a method of this plugin";

interface Running {
  readonly settings: Settings;
  readonly queue: PenaltyQueue;
  readonly handOver: HandOver;
}

export class ClnPlugin {
  readonly #io: PluginIo;
  #running: Running | undefined;

  constructor(io: PluginIo) {
    this.#io = io;
  }

  /** Until lightningd closes the stream or sends `shutdown`. */
  async run(): Promise<void> {
    try {
      for await (const message of this.#io.messages()) {
        if (message.method === "shutdown") return;
        this.#serve(message);
      }
    } finally {
      await this.#running?.handOver.stop();
      this.#running?.queue.close();
    }
  }

  #serve({ method, params, id }: RpcMessage): void {
    if (id === undefined) return this.#notified(method, params);
    switch (method) {
      case "getmanifest":
        return this.#io.answer(id, MANIFEST);
      case "init":
        return this.#io.answer(id, this.#init(params));
      case "farwatch-status":
        return this.#io.answer(id, this.#status());
      case "commitment_revocation":
        void this.#revoked(params).then(() => this.#io.answer(id, CONTINUE));
        return;
      default:
        return this.#io.fail(id, `${method}: ${NO_SUCH_METHOD}`);
    }
  }

  /** What is wrong is told as lightningd wants it: the plugin is disabled, the node goes on. */
  #init(params: unknown): { readonly disable?: string } {
    const settings = readInit(params);
    if (typeof settings === "string") return { disable: settings };
    try {
      this.#start(settings);
      return {};
    } catch (error) {
      return { disable: `farwatch: ${error instanceof Error ? error.message : "cannot start"}` };
    }
  }

  #start(settings: Settings): void {
    const { ca, cert, key } = readTls(settings.tls, "farwatch");
    const queue = PenaltyQueue.open(settings.queueFile);
    const handOver = new HandOver({
      queue,
      manager: settings.manager,
      credentials: credentials.createSsl(ca, key, cert),
      chainHash: CHAIN_HASHES[settings.network],
      nodeKey: () => askNodeId(settings.rpcSocket),
      log: (level, text) => this.#io.log(level, text),
      nowMs: () => Date.now(),
      jitter: () => Math.random(),
    });
    this.#running = { settings, queue, handOver };
    handOver.start();
  }

  /** Resolves when the operator's policy says so; never rejects. */
  async #revoked(params: unknown): Promise<void> {
    const running = this.#running;
    if (running === undefined) {
      return this.#io.log("broken", "farwatch: a penalty transaction came before init: it is lost");
    }
    const read = readRevocation(params);
    if (typeof read === "string") {
      return this.#io.log("broken", `farwatch: a penalty transaction is not understood: ${read}`);
    }
    const { penalty, channelId: channel } = read;
    const rowId = await running.handOver.queue({
      channelId: channel,
      subject: penalty.commitmentTxid,
      payload: encodeUpdatePayload([penalty]),
    });
    const { waitMs } = running.settings;
    if (waitMs === undefined) return;
    if (await running.handOver.whenDurable(rowId, channel, waitMs)) return;
    const text = `farwatch: a penalty for channel ${channel} is on this disk only after ${waitMs} ms`;
    this.#io.log("unusual", text);
  }

  #notified(method: string, params: unknown): void {
    if (method !== "channel_state_changed" || this.#running === undefined) return;
    const channel = closedChannel(params);
    if (channel === undefined) return;
    const step = { kind: "channelForceClosed", shouldBroadcast: false, reason: "closed" } as const;
    const payload = encodeUpdatePayload([step]);
    void this.#running.handOver.queue({ channelId: channel, subject: "closed", payload });
  }

  #status(): unknown {
    if (this.#running === undefined) return { running: false };
    const { queue, handOver, settings } = this.#running;
    const { queued, oldestAtMs, channels, told } = queue.state(STATUS_EVENTS);
    return {
      running: true,
      manager: settings.manager,
      connected: handOver.isConnected,
      ...(handOver.lastError === undefined ? {} : { last_error: handOver.lastError }),
      answer: settings.waitMs === undefined ? "queued" : "durable",
      queued,
      ...(oldestAtMs === undefined ? {} : { oldest_queued_at: new Date(oldestAtMs).toISOString() }),
      channels: channels.map((channel) => ({
        channel_id: channel.channelId,
        durable_updates: Number(channel.durableId),
        queued: channel.queued,
      })),
      events: told.map(({ text, atMs }) => ({ at: new Date(atMs).toISOString(), text })),
    };
  }
}

const stateChange = z.object({
  channel_id: z.string().regex(/^[0-9a-f]{64}$/),
  new_state: z.string(),
});
const notification = z.object({ channel_state_changed: stateChange });

/** lightningd forgets a channel a hundred blocks after all of it is resolved; state CLOSED since 25.12. */
function closedChannel(params: unknown): ChannelId | undefined {
  const read = notification.safeParse(params);
  if (!read.success || read.data.channel_state_changed.new_state !== "CLOSED") return undefined;
  return channelId(read.data.channel_state_changed.channel_id);
}
