/**
 * LDK's bytes beside typed steps, without LDK: the same recorded updates in either form through manager-service
 * and monitor-service, which both read them, and into a monitor-service alone.
 */
import { randomBytes } from "node:crypto";
import { assert, must } from "@farwatch/protocol/assert";
import { fromHex } from "@farwatch/protocol/bytes";
import type { Curve } from "@farwatch/protocol/curve/curve";
import { parseUpdatePayload } from "@farwatch/protocol/convert/update";
import type { UpdateChannelRequest } from "@farwatch/protocol/gen/manager/v1/manager_service";
import { readLdkUpdate } from "@farwatch/protocol/ldk/convert/read-update";
import type { Regtest } from "../../harness/bitcoind/node.js";
import type { Cluster } from "../../harness/cluster/cluster.js";
import { elapsedMs, perSecond, ratePerSecond } from "../clock.js";
import { MonitorUnderTest } from "../monitor.js";
import { durationRow, rateRow, type Row } from "../report.js";
import { deliver } from "../updates.js";
import { interleave, type PlannedChannel } from "../workload.js";
import { cpuMsOf } from "./cpu.js";
import { IngestNode } from "./ingest-node.js";
import {
  record,
  type RecordedChannel,
  type RecordedUpdate,
  type RecordingSizes,
} from "./recording.js";
import { pidsOf, withServices } from "./services.js";
import type { Tell } from "./tell.js";

/** Updates sent and not yet Completed, over all channels. */
const IN_FLIGHT = 512;
const READ_LOOP_MS = 1_000;
/** One update in so many only warms up. */
const WARM_UP_SHARE = 4;

export interface IngestSizes extends RecordingSizes {
  readonly rounds: number;
}
type Form = "ldk" | "typed";

interface Figure {
  readonly perSecond: number;
  /** Of both services. */
  readonly cpuMs: number;
}

export async function ingestRows(
  bitcoind: Regtest,
  { rounds, ...sizes }: IngestSizes,
  curve: Curve,
  tell: Tell,
): Promise<readonly Row[]> {
  const seed = Uint8Array.from(randomBytes(32));
  const channels = await record(seed, sizes, curve);
  const count = channels.reduce((sum, { updates }) => sum + updates.length, 0);
  tell(`${count} updates of ${channels.length} channels recorded`);
  const figures: Record<Form, Figure[]> = { ldk: [], typed: [] };
  const alone: Record<Form, number[]> = { ldk: [], typed: [] };
  for (let round = 0; round < rounds; round++) {
    for (const form of ["typed", "ldk"] as const) {
      figures[form].push(
        await withServices(bitcoind, seed, (cluster) => throughBoth(cluster, channels, form)),
      );
      alone[form].push(await intoMonitor({ bitcoind, seed, curve }, channels, form));
      tell(
        `ingest run ${round + 1}, ${form}: ${progress(figures[form].at(-1), alone[form].at(-1))}`,
      );
    }
  }
  const rate = (form: Form): number => Math.max(...figures[form].map((one) => one.perSecond));
  const cpu = (form: Form): number => Math.min(...figures[form].map(({ cpuMs }) => cpuMs));
  const direct = (form: Form): number => Math.max(...alone[form]);
  const typed = { name: "baseline: the same as typed steps", value: rate("typed") };
  const name = "LDK's bytes, pipelined: manager and monitor";
  return [
    rateRow(name, "updates/s", rate("ldk"), typed),
    durationRow(`${name}, CPU an update`, cpu("ldk"), { name: typed.name, value: cpu("typed") }),
    rateRow("LDK's bytes, pipelined and signed ahead: monitor alone", "updates/s", direct("ldk"), {
      name: typed.name,
      value: direct("typed"),
    }),
    rateRow("typed steps, pipelined: manager and monitor", "updates/s", rate("typed"), {
      name: "baseline: the monitor alone, signed ahead",
      value: direct("typed"),
    }),
    readingRow(channels),
  ];
}

const progress = (both: Figure | undefined, alone: number | undefined): string =>
  `${both?.perSecond.toFixed(0)} updates/s at ${both?.cpuMs.toFixed(1)} ms of CPU, ` +
  `the monitor alone ${alone?.toFixed(0)} updates/s`;

/** Only the reading, in this process. */
function readingRow(channels: readonly RecordedChannel[]): Row {
  const all = channels.flatMap(({ updates, initial }) =>
    updates.map((update) => ({ update, initial })),
  );
  const each = (once: (at: (typeof all)[number]) => void): number =>
    ratePerSecond(() => all.forEach(once), READ_LOOP_MS) * all.length;
  const typed = each(({ update }) => assert(parseUpdatePayload(update.typed).ok, "it reads"));
  const ldk = each(({ update, initial }) =>
    assert(readLdkUpdate(update.ldk, () => initial).ok, "it reads"),
  );
  return rateRow("reading LDK's bytes, once", "updates/s", ldk, {
    name: "baseline: reading the same as typed steps",
    value: typed,
  });
}

async function throughBoth(
  cluster: Cluster,
  channels: readonly RecordedChannel[],
  form: Form,
): Promise<Figure> {
  const node = await IngestNode.open(cluster.nodeAccess);
  try {
    for (const { channelId, firstUpdateId, ...first } of channels) {
      const isLdk = form === "ldk";
      const request = {
        initialState: isLdk ? Buffer.alloc(0) : Buffer.from(first.typedInitial),
        ldkMonitor: isLdk ? Buffer.from(first.monitor) : undefined,
        firstUpdateId,
      };
      await node.watch(channelId, request, firstUpdateId - 1n);
    }
    const requests = inTurn(channels).map(({ channel, update }) =>
      requestOf(channel, update, form),
    );
    const [first, rest] = warmUpOf(requests);
    await node.send(first, IN_FLIGHT);
    const pids = pidsOf(cluster);
    const before = cpuMsOf(pids);
    const ms = await elapsedMs(() => node.send(rest, IN_FLIGHT));
    const cpuMs = (cpuMsOf(pids) - before) / rest.length;
    return { perSecond: perSecond(rest.length, ms), cpuMs };
  } finally {
    node.close();
  }
}

/** The first part is sent before the clock starts: the processes are new. */
function warmUpOf<T>(updates: readonly T[]): readonly [readonly T[], readonly T[]] {
  const count = Math.ceil(updates.length / WARM_UP_SHARE);
  return [updates.slice(0, count), updates.slice(count)];
}

interface Place {
  readonly bitcoind: Regtest;
  readonly seed: Uint8Array;
  readonly curve: Curve;
}

async function intoMonitor(
  { bitcoind, seed, curve }: Place,
  channels: readonly RecordedChannel[],
  form: Form,
): Promise<number> {
  const monitor = await MonitorUnderTest.start(curve, seed, bitcoind);
  try {
    const planned = channels.map((channel) => plannedOf(channel, form));
    await monitor.watch(planned);
    const [first, rest] = warmUpOf(interleave(planned));
    await deliver(monitor, first);
    const { ms } = await deliver(monitor, rest);
    return perSecond(rest.length, ms);
  } finally {
    await monitor.stop();
  }
}

function plannedOf({ channelId, initial, updates }: RecordedChannel, form: Form): PlannedChannel {
  const isLdk = form === "ldk";
  return {
    initial: isLdk ? initial : { ...initial, ldkMonitor: undefined },
    updates: updates.map(({ ldk, typed, curve }) => ({
      channelId,
      payload: isLdk ? ldk : typed,
      payloadType: isLdk ? "ldkBytes" : "typedSteps",
      curve,
    })),
  };
}

function requestOf(
  { channelId }: RecordedChannel,
  { updateId, ldk, typed }: RecordedUpdate,
  form: Form,
): UpdateChannelRequest {
  const payload =
    form === "ldk"
      ? ({ $case: "ldkBytes", value: Buffer.from(ldk) } as const)
      : ({ $case: "typed", value: Buffer.from(typed) } as const);
  return { channelId: Buffer.from(fromHex(channelId)), updateId, payload };
}

/** One update of every channel, then the next of every channel. */
function inTurn(channels: readonly RecordedChannel[]) {
  const longest = Math.max(...channels.map(({ updates }) => updates.length));
  return Array.from({ length: longest }, (_, at) =>
    channels.flatMap((channel) =>
      at < channel.updates.length
        ? [{ channel, update: must(channel.updates[at], "an update") }]
        : [],
    ),
  ).flat();
}
