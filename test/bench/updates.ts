/**
 * Signed updates into the monitor until their receipts are back: one at a time (latency) and pipelined
 * (throughput). A refused update ends the benchmark: it would have cost less than an accepted one.
 */
import { must } from "@farwatch/protocol/assert";
import type { Curve } from "@farwatch/protocol/curve/curve";
import { nobleCurve } from "@farwatch/protocol/curve/noble-curve";
import {
  UpdateChannelRequest,
  UpdateChannelResponse,
} from "@farwatch/protocol/gen/monitor/v1/monitor_service";
import { appendAndSync, elapsedMs, median, perSecond } from "./clock.js";
import { allCurveWork, curveMs, signaturesOnly, type CurveWork } from "./curve-work.js";
import type { MonitorUnderTest } from "./monitor.js";
import { rawExchanges } from "./raw-grpc.js";
import { durationRow, rateRow, type Row } from "./report.js";
import { chunksOf, type PlannedUpdate } from "./workload.js";

const BATCH = 64;
/** Batches sent and not yet answered; 512 updates are far below what a monitor allows. */
const IN_FLIGHT = 8;
/** The first updates only warm up: compiled code, open connection, grown database. */
const WARM_UP_UPDATES = 40;

/** One update, then the next when its receipt is here. */
export async function singleUpdates(
  monitor: MonitorUnderTest,
  updates: readonly PlannedUpdate[],
  curve: Curve,
): Promise<readonly Row[]> {
  const requests = updates.map((update) => monitor.sign([update]));
  const times: number[] = [];
  const stream = new UpdateStream(monitor);
  for (const request of requests) {
    times.push(await elapsedMs(() => stream.send(request)));
  }
  await stream.end();
  const request = median(requests.map((made) => bytesOf(made)));
  const response = stream.lastResponseBytes;
  const value = median(times.slice(WARM_UP_UPDATES));
  const row = (limit: string, ms: number): Row =>
    durationRow("single signed update durable p50", value, { name: limit, value: ms });
  const sizes = { request, response, count: updates.length, inFlight: 1 };
  return [
    row(
      `p50 of append + fdatasync of ${request} bytes, same folder`,
      appendAndSync(monitor.dataFolder, request, updates.length),
    ),
    row(
      `mean raw grpc-js exchange with TLS, ${request} and ${response} bytes`,
      1_000 / (await rawExchanges(monitor.folder, sizes)),
    ),
    row(
      `${curve.backend}: all curve work of an average update, one thread`,
      curveMs(curve, allCurveWork(updates, 1)),
    ),
  ];
}

/** Many channels, BATCH updates a signature, IN_FLIGHT batches under way. */
export async function pipelinedUpdates(
  monitor: MonitorUnderTest,
  updates: readonly PlannedUpdate[],
  curve: Curve,
): Promise<readonly Row[]> {
  const { ms, requests, response } = await deliver(monitor, updates);
  const name = "pipelined signed updates/s";
  const value = perSecond(updates.length, ms);
  const row = (limit: string, rate: number): Row =>
    rateRow(name, "updates/s", value, { name: limit, value: rate });
  const request = median(requests.map(bytesOf));
  const sizes = { request, response, count: requests.length, inFlight: IN_FLIGHT };
  const signatures = signaturesOnly(updates, BATCH);
  const rate = (backend: Curve, work: CurveWork): number => 1_000 / curveMs(backend, work);
  const ecdsa = signatures.ecdsaVerify.toFixed(2);
  const verify = `1 Schnorr verify a batch and ${ecdsa} ECDSA an update, one thread`;
  const backends = curve.backend === nobleCurve.backend ? [curve] : [curve, nobleCurve];
  return [
    ...backends.map((one) => row(`${one.backend}: ${verify}`, rate(one, signatures))),
    row(
      `${curve.backend}: all curve work of these updates, one thread`,
      rate(curve, allCurveWork(updates, BATCH)),
    ),
    row(
      `raw grpc-js bidi stream with TLS, ${request} and ${response} bytes a batch`,
      (await rawExchanges(monitor.folder, sizes)) * BATCH,
    ),
  ];
}

/** Sends everything, pipelined, until every receipt is here. */
export async function deliver(monitor: MonitorUnderTest, updates: readonly PlannedUpdate[]) {
  const requests = chunksOf(updates, BATCH).map((some) => monitor.sign(some));
  const stream = new UpdateStream(monitor);
  const ms = await elapsedMs(() => inFlight(requests, (request) => stream.send(request)));
  await stream.end();
  return { ms, requests, response: stream.lastResponseBytes };
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
