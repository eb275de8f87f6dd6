/**
 * Signed updates into the monitor until their receipts are back: one at a time (latency) and pipelined
 * (throughput). A refused update ends the benchmark: it would have cost less than an accepted one.
 */
import { randomBytes } from "node:crypto";
import { assert, must } from "@farwatch/protocol/assert";
import type { Curve } from "@farwatch/protocol/curve/curve";
import {
  UpdateChannelRequest,
  UpdateChannelResponse,
} from "@farwatch/protocol/gen/monitor/v1/monitor_service";
import { appendAndSync, elapsedMs, median, perSecond, ratePerSecond } from "./clock.js";
import type { MonitorUnderTest } from "./monitor.js";
import { rawExchanges } from "./raw-grpc.js";
import { durationRow, rateRow, type Row } from "./report.js";
import { chunksOf, type PlannedUpdate } from "./workload.js";

const BATCH = 64;
/** Batches sent and not yet answered; 512 updates are far below what a monitor allows. */
const IN_FLIGHT = 8;
/** The first updates only warm up: compiled code, open connection, grown database. */
const WARM_UP_UPDATES = 40;
const VERIFY_LOOP_MS = 1_000;

/** One update, then the next when its receipt is here. */
export async function singleUpdates(
  monitor: MonitorUnderTest,
  updates: readonly PlannedUpdate[],
): Promise<Row> {
  const requests = updates.map((update) => monitor.sign([update]));
  const times: number[] = [];
  const stream = new UpdateStream(monitor);
  for (const request of requests) {
    times.push(await elapsedMs(() => stream.send(request)));
  }
  await stream.end();
  const bytes = median(requests.map((request) => bytesOf(request)));
  return durationRow("single signed update durable p50", median(times.slice(WARM_UP_UPDATES)), {
    name: `p50 of append + fdatasync of ${bytes} bytes, same folder`,
    value: appendAndSync(monitor.dataFolder, bytes, updates.length),
  });
}

/** Many channels, BATCH updates a signature, IN_FLIGHT batches under way. */
export async function pipelinedUpdates(
  monitor: MonitorUnderTest,
  updates: readonly PlannedUpdate[],
  curves: readonly Curve[],
): Promise<readonly Row[]> {
  const requests = chunksOf(updates, BATCH).map((some) => monitor.sign(some));
  const stream = new UpdateStream(monitor);
  const ms = await elapsedMs(() => inFlight(requests, (request) => stream.send(request)));
  await stream.end();
  const name = `pipelined signed updates, ${BATCH} a batch, ${IN_FLIGHT} batches in flight`;
  const value = perSecond(updates.length, ms);
  const row = (limit: string, rate: number): Row =>
    rateRow(name, "updates/s", value, { name: limit, value: rate });
  const ecdsa = updates.reduce((sum, update) => sum + update.ecdsaSignatures, 0) / updates.length;
  const sizes = {
    request: median(requests.map(bytesOf)),
    response: stream.lastResponseBytes,
  };
  const exchanges = await rawExchanges(monitor.folder, {
    ...sizes,
    count: requests.length,
    inFlight: IN_FLIGHT,
  });
  return [
    ...curves.map((curve) =>
      row(
        `${curve.backend}: 1 Schnorr verify a batch, ${ecdsa.toFixed(2)} ECDSA an update, one thread`,
        verifyLoop(curve, ecdsa),
      ),
    ),
    row(
      `raw grpc-js bidi stream with TLS, ${sizes.request} and ${sizes.response} bytes a batch`,
      exchanges * BATCH,
    ),
  ];
}

/** Updates per second when a thread does nothing but verify what a monitor must. */
function verifyLoop(curve: Curve, ecdsaPerUpdate: number): number {
  const [secret, digest, aux] = [1, 2, 3].map(() => Uint8Array.from(randomBytes(32)));
  assert(secret !== undefined && digest !== undefined && aux !== undefined, "random bytes");
  const key = curve.publicKey(secret);
  const xOnly = curve.xOnlyPublicKey(secret);
  const ecdsa = curve.ecdsaSign(digest, secret);
  const schnorr = curve.schnorrSign(digest, secret, aux);
  const verifies = Math.round(ecdsaPerUpdate * BATCH);
  const batches = ratePerSecond(() => {
    let valid = curve.schnorrVerify(schnorr, digest, xOnly);
    for (let i = 0; i < verifies; i++) valid = curve.ecdsaVerify(ecdsa, digest, key) && valid;
    assert(valid, "the loop's own signatures verify");
  }, VERIFY_LOOP_MS);
  return batches * BATCH;
}

async function inFlight<T>(items: readonly T[], work: (item: T) => Promise<void>): Promise<void> {
  const queue = items.values();
  const lane = async (): Promise<void> => {
    for (const item of queue) await work(item);
  };
  await Promise.all(Array.from({ length: IN_FLIGHT }, lane));
}

const bytesOf = (request: UpdateChannelRequest): number =>
  UpdateChannelRequest.encode(request).finish().length;

/** Answers come in the order of the batches, each with one receipt an update. */
class UpdateStream {
  #last: UpdateChannelResponse | undefined;
  readonly #call;
  readonly #waiting: { done(): void; fail(error: Error): void; readonly updates: number }[] = [];
  readonly #ended: Promise<void>;

  constructor({ client }: MonitorUnderTest) {
    this.#call = client.rpc.updateChannel();
    this.#call.on("data", (response: UpdateChannelResponse) => this.#take(response));
    this.#ended = new Promise((resolve, reject) => {
      this.#call.on("end", resolve);
      this.#call.on("error", (error: Error) => {
        for (const { fail } of this.#waiting.splice(0)) fail(error);
        reject(error);
      });
    });
    this.#ended.catch(() => undefined); // end() has it
  }

  get lastResponseBytes(): number {
    return UpdateChannelResponse.encode(must(this.#last, "an answer")).finish().length;
  }

  /** Resolves when every update of the batch has its receipt. */
  send(request: UpdateChannelRequest): Promise<void> {
    return new Promise((done, fail) => {
      this.#waiting.push({ done, fail, updates: request.batch?.updates.length ?? 0 });
      this.#call.write(request);
    });
  }

  end(): Promise<void> {
    this.#call.end();
    return this.#ended;
  }

  #take(response: UpdateChannelResponse): void {
    const waiting = this.#waiting.shift();
    const receipts = response.receipts?.receipts.length ?? 0;
    const [refused] = response.refused;
    this.#last = response;
    if (refused === undefined && receipts === waiting?.updates) return waiting.done();
    const why = refused?.error?.message ?? `${receipts} receipts`;
    waiting?.fail(new Error(`an update was not taken: ${why}`));
  }
}
