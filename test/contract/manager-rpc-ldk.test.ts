/** ManagerService's edge for LDK's own bytes: first states, monitors to start from, checkpoints. */
import assert from "node:assert/strict";
import { fromHex } from "@farwatch/protocol/bytes";
import type {
  GetLdkMonitorResponse,
  LdkMonitorStart,
} from "@farwatch/protocol/gen/manager/v1/manager_service";
import { refuse } from "@farwatch/protocol/reasons";
import { err, ok } from "@farwatch/protocol/result";
import { MAX_LDK_CHUNK_BYTES, MAX_STATE_REQUEST_BYTES } from "@farwatch/manager-service/rpc/limits";
import type { LdkMonitorSource, ManagerHost } from "@farwatch/manager-service/runtime/manager-host";
import {
  Bench,
  call,
  CHANNEL,
  createCertificates,
  failureIn,
  failureOf,
  SESSION,
  sessionMetadata,
  until,
  type Certificates,
} from "./manager-rpc-bench.js";

const bytesOf = (hex: string): Buffer => Buffer.from(fromHex(hex));

describe("ManagerService, LDK's bytes", () => {
  let certificates: Certificates;
  let bench: Bench;
  before(async () => {
    certificates = await createCertificates();
  });
  beforeEach(() => {
    bench = new Bench(certificates);
  });
  afterEach(() => bench.close());

  it("takes exactly one first state, in our words or in LDK's", async () => {
    const asked: string[] = [];
    const client = await bench.open({
      watchChannel: (_, { kind, bytes: first }) => {
        asked.push(`${kind} ${first.length}`);
        return Promise.resolve(err(refuse("unknownRole", "the host was asked")));
      },
    });
    const watch = async (ours: number, ldk: number | undefined): Promise<string | undefined> => {
      const ldkMonitor = ldk === undefined ? undefined : Buffer.alloc(ldk);
      const request = { initialState: Buffer.alloc(ours), firstUpdateId: 0n, ldkMonitor };
      const failure = await failureIn((done) =>
        client.watchChannel(request, sessionMetadata(), done),
      );
      return failure.refusal?.details["field"] ?? failure.refusal?.reason;
    };
    assert.equal(await watch(0, undefined), "initial_state or ldk_monitor");
    assert.equal(await watch(1, 2), "ldk_monitor");
    assert.equal(await watch(1, undefined), "unknownRole");
    assert.equal(await watch(0, 2), "unknownRole");
    assert.deepEqual(asked, ["initialState 1", "ldkMonitor 2"]);
  });

  describe("GetLdkMonitor", () => {
    const start: LdkMonitorStart = {
      monitor: Buffer.from("monitor"),
      updateId: 3n,
      acceptedId: 9n,
      durableId: 8n,
      closed: true,
      unresolvedHtlcs: 2,
      handledHtlcEvents: [],
    };
    async function asked(
      script: Partial<ManagerHost>,
      channel = bytesOf(CHANNEL),
      session = SESSION,
    ) {
      const client = await bench.open(script);
      const stream = client.getLdkMonitor(
        { channelId: channel, told: 7n },
        sessionMetadata(session),
      );
      const got: GetLdkMonitorResponse[] = [];
      const errors: unknown[] = [];
      let ended = false;
      stream.on("data", (message: GetLdkMonitorResponse) => got.push(message));
      stream.on("error", (error) => errors.push(error));
      stream.on("end", () => (ended = true));
      return { stream, got, errors, ended: () => ended };
    }
    const source = (updates: LdkMonitorSource["updates"]): Partial<ManagerHost> => ({
      ldkMonitor: () => Promise.resolve(ok({ start, updates })),
    });
    async function* of(...lengths: readonly number[]): AsyncGenerator<Uint8Array> {
      for (const length of lengths) yield await Promise.resolve(new Uint8Array(length));
    }
    const sizes = (got: readonly GetLdkMonitorResponse[]) =>
      got.map(({ part }) =>
        part?.$case === "updates" ? part.value.updates.map(({ length }) => length) : part?.$case,
      );

    it("sends the start, then updates in chunks up to their size, a larger one alone", async () => {
      const whole = MAX_LDK_CHUNK_BYTES;
      const asking = await asked(source(of(10, whole - 10, 1, 3 * whole, 2, whole - 1)));
      await until(() => asking.ended(), "the end");
      assert.deepEqual(asking.got[0]?.part, { $case: "start", value: start });
      assert.deepEqual(sizes(asking.got), [
        "start",
        [10, whole - 10],
        [1],
        [3 * whole],
        [2],
        [whole - 1],
      ]);
      assert.deepEqual(asking.errors, []);
    });

    it("sends nothing after the start when there is no update", async () => {
      const asking = await asked(source(of()));
      await until(() => asking.ended(), "the end");
      assert.deepEqual(sizes(asking.got), ["start"]);
    });

    it("reads no further than the caller does, and lets go of one that leaves", async () => {
      let read = 0;
      let released = false;
      const total = 200;
      async function* long(): AsyncGenerator<Uint8Array> {
        try {
          for (; read < total; read += 1) yield await Promise.resolve(new Uint8Array(600_000));
        } finally {
          released = true;
        }
      }
      const client = await bench.open(source(long()));
      const request = { channelId: bytesOf(CHANNEL), told: 7n };
      const stream = client.getLdkMonitor(request, sessionMetadata());
      stream.on("error", () => undefined);
      stream.once("data", () => stream.pause());
      await until(() => read > 0, "the first update");
      await new Promise((resolve) => setTimeout(resolve, 300));
      const before = read;
      assert.ok(before < total / 2, `${before} of ${total} were read`);
      stream.cancel();
      await until(() => released, "the log is let go");
    });

    it("ends with the refusal, of the host or before it is asked", async () => {
      const reasonOf = async (asking: ReturnType<typeof asked>) => {
        const { errors } = await asking;
        await until(() => errors.length === 1, "an error");
        return failureOf(errors[0]).refusal?.reason;
      };
      const limit = refuse("rangeExceeded", "lost data");
      const refusing = { ldkMonitor: () => Promise.resolve(err(limit)) };
      assert.equal(await reasonOf(asked(refusing)), "rangeExceeded");
      assert.equal(await reasonOf(asked(refusing, Buffer.alloc(31))), "wrongLength");
      assert.equal(await reasonOf(asked(refusing, bytesOf(CHANNEL), "00".repeat(16))), "fenced");
      const broken = {
        ldkMonitor: () => Promise.reject(new TypeError("secret 42")),
      };
      assert.equal(await reasonOf(asked(broken)), "assertion");
      assert.ok(!bench.logged.join("").includes("secret 42"));
    });
  });

  it("PutLdkCheckpoint passes a checkpoint of the size of a state on", async () => {
    const sizes: number[] = [];
    const client = await bench.open({
      putLdkCheckpoint: (_, { monitor }) => {
        sizes.push(monitor.length);
        return Promise.resolve(ok(undefined));
      },
    });
    const put = (monitor: Buffer, channelId = bytesOf(CHANNEL)) =>
      call((done) =>
        client.putLdkCheckpoint({ channelId, updateId: 4n, monitor }, sessionMetadata(), done),
      );
    // The channel id costs 34 bytes, the update id 2, the field of the monitor 1 + 4.
    const fits = MAX_STATE_REQUEST_BYTES - 41;
    await put(Buffer.alloc(fits));
    await assert.rejects(put(Buffer.alloc(fits + 1)), /too large/);
    await assert.rejects(put(Buffer.alloc(1), Buffer.alloc(31)), /32 bytes/);
    assert.deepEqual(sizes, [fits]);
  });
});
