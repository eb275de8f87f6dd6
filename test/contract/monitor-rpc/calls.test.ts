/** MonitorService's unary calls over TLS: who may call, what is refused and how refusals look. */
import assert from "node:assert/strict";
import fs from "node:fs";
import tls from "node:tls";
import { compressionAlgorithms, status } from "@grpc/grpc-js";
import { StoreFailure } from "@farwatch/monitor-service/store/store";
import {
  MAX_MESSAGE_BYTES,
  MAX_UPDATE_MESSAGE_BYTES,
  TRANSPORT_MAX_BYTES,
} from "@farwatch/monitor-service/rpc/limits";
import { codeOf, toStatus } from "@farwatch/monitor-service/rpc/to-status";
import type { Principal } from "@farwatch/monitor-service/runtime/monitor-host";
import { isReason, REASONS, refuse, type Reason } from "@farwatch/protocol/reasons";
import { err, ok } from "@farwatch/protocol/result";
import { Bench, call, createCertificates, failing, MANAGER_KEY } from "./bench.js";
import type { Certificates } from "./bench.js";
import type { RpcServer } from "@farwatch/monitor-service/rpc/server";

const CHANNEL = Buffer.alloc(32, 1);
const EMPTY_ACKS = { header: Buffer.alloc(0), signature: Buffer.alloc(0), acks: [] };
const WATCH = {
  header: Buffer.alloc(0),
  signature: Buffer.alloc(0),
  payload: Buffer.alloc(0),
  batchHeader: Buffer.alloc(0),
};
const reasons: readonly Reason[] = Object.keys(REASONS).filter(isReason);

describe("MonitorService, calls", () => {
  let certificates: Certificates;
  let bench: Bench;
  before(async () => {
    certificates = await createCertificates();
  });
  after(() => certificates.remove());
  beforeEach(() => {
    bench = new Bench(certificates);
  });
  afterEach(() => bench.close());

  it("answers every reason with its status and the whole refusal in the trailer", async () => {
    let next = refuse("malformed", "");
    const server = await bench.serve({ anyChannel: () => Promise.resolve(err(next)) });
    const client = bench.client(server);
    for (const reason of reasons) {
      next = refuse(reason, `about ${reason}`, { field: "x", expected_update_id: "7" });
      const failure = await failing(
        call((done) => client.getChannel({ channelId: CHANNEL }, done)),
      );
      assert.equal(failure.code, REASONS[reason].grpc, reason);
      assert.deepEqual(failure.refusal, { ...next, details: { ...next.details } }, reason);
      assert.equal(failure.details, `${reason}: about ${reason}`);
    }
  });

  it("keeps status messages short and printable; the trailer has the full text", () => {
    const text = `tab\t \u00e9 \ud800 ${"x".repeat(1000)}`;
    const error = toStatus(refuse("updateGap", text));
    assert.equal(error.code, status.ABORTED);
    assert.match(error.details, /^[ -~]{1,500}$/);
    assert.equal(codeOf(refuse("storedStateUnreadable", "")), status.DATA_LOSS);
  });

  it("tells the host who calls from the certificate, not from metadata", async () => {
    const callers: Principal[] = [];
    const server = await bench.serve({
      ackEvents: (who) => {
        callers.push(who);
        return Promise.resolve(ok([]));
      },
    });
    await call((done) => bench.client(server).ackEvents(EMPTY_ACKS, done));
    assert.deepEqual(callers, [{ name: "manager-1", managerKey: MANAGER_KEY, admin: false }]);
  });

  it("hands a broadcast over with the epoch it names", async () => {
    const asked: unknown[] = [];
    const server = await bench.serve({
      broadcastHolder: (_, request) => {
        asked.push(request);
        return Promise.resolve(err(refuse("fenced", "epoch 7 is over")));
      },
    });
    const request = { channelId: CHANNEL, reason: "r", overrideStale: true, epoch: 7n };
    const failure = await failing(
      call((done) => bench.client(server).broadcastHolderCommitment(request, done)),
    );
    assert.equal(failure.refusal?.reason, "fenced");
    assert.deepEqual(asked, [{ ...request, channelId: CHANNEL.toString("hex") }]);
  });

  it("denies a certificate of our authority that nobody configured, on every kind of call", async () => {
    const server = await bench.serve({});
    const client = bench.client(server, bench.channelCredentials(certificates.stranger));
    const failures = [
      await failing(call((done) => client.getInfo({}, done))),
      await failing(call((done) => client.retire({}, done))),
      await failing(ended(client.streamEvents({ epoch: 1n }))),
      await failing(ended(client.snapshotChunks({}))),
      await failing(ended(client.updateChannel())),
    ];
    for (const { code, refusal } of failures) {
      assert.deepEqual([code, refusal?.reason], ["PERMISSION_DENIED", "notYourChannel"]);
      const spki = refusal?.details["certificate_spki_sha256"];
      assert.equal(spki, certificates.stranger.spkiSha256);
    }
  });

  it("fails the handshake without a certificate of our authority", async () => {
    const server = await bench.serve({});
    for (const credentials of [
      bench.channelCredentials(certificates.foreign),
      bench.channelCredentialsWithoutCertificate(),
    ]) {
      const failure = await failing(
        call((done) => bench.client(server, credentials).getInfo({}, done)),
      );
      assert.deepEqual([failure.code, failure.refusal], ["UNAVAILABLE", undefined]);
    }
    assert.deepEqual(bench.log, [], "no handler ran");
  });

  it("speaks TLS 1.3 and nothing older", async () => {
    const server = await bench.serve({});
    assert.equal(await handshake(server, "TLSv1.3"), "TLSv1.3");
    await assert.rejects(handshake(server, "TLSv1.2"), /protocol version|ALERT/i);
  });

  const handshake = (server: RpcServer, version: tls.SecureVersion): Promise<string | null> =>
    new Promise((resolve, reject) => {
      const socket = tls.connect({
        host: "localhost",
        port: server.port,
        ca: fs.readFileSync(certificates.caFile),
        cert: fs.readFileSync(certificates.manager.certFile),
        key: fs.readFileSync(certificates.manager.keyFile),
        minVersion: version,
        maxVersion: version,
        ALPNProtocols: ["h2"],
      });
      socket.once("secureConnect", () => {
        resolve(socket.getProtocol());
        socket.destroy();
      });
      socket.once("error", reject);
    });

  it("takes 256 KiB and refuses a byte more as tooLarge", async () => {
    const server = await bench.serve({ ackEvents: () => Promise.resolve(ok([])) });
    const client = bench.client(server);
    // header: one tag byte and a length of three bytes.
    const sized = (bytes: number) => ({ ...EMPTY_ACKS, header: Buffer.alloc(bytes - 4) });
    await call((done) => client.ackEvents(sized(MAX_MESSAGE_BYTES), done));
    const failure = await failing(
      call((done) => client.ackEvents(sized(MAX_MESSAGE_BYTES + 1), done)),
    );
    assert.deepEqual([failure.code, failure.refusal?.reason], ["RESOURCE_EXHAUSTED", "tooLarge"]);
    assert.equal(failure.refusal?.details["limit"], String(MAX_MESSAGE_BYTES));
  });

  it("takes 4 MiB of WatchChannel; far above, the transport refuses by itself", async () => {
    let seen = 0;
    const server = await bench.serve({
      watchChannel: (_who, { payload }) => {
        seen = payload.length;
        return Promise.resolve(err(refuse("channelHalted", "reached")));
      },
    });
    const client = bench.client(server);
    const send = (bytes: number) =>
      // payload: one tag byte and a length of four bytes.
      failing(
        call((done) => client.watchChannel({ ...WATCH, payload: Buffer.alloc(bytes - 5) }, done)),
      );
    assert.equal((await send(MAX_UPDATE_MESSAGE_BYTES)).refusal?.reason, "channelHalted");
    assert.equal(seen, MAX_UPDATE_MESSAGE_BYTES - 5);
    assert.equal((await send(MAX_UPDATE_MESSAGE_BYTES + 1)).refusal?.reason, "tooLarge");
    assert.equal((await send(TRANSPORT_MAX_BYTES + 1)).code, "RESOURCE_EXHAUSTED");
  });

  it("refuses bytes that are no message as malformed", async () => {
    const server = await bench.serve({});
    const client = bench.client(server);
    const raw = call((done) =>
      client.makeUnaryRequest(
        "/farwatch.monitor.v1.MonitorService/GetChannel",
        (bytes: Buffer) => bytes,
        (bytes: Buffer) => bytes,
        Buffer.from([0x0a, 0xff]),
        (error, value) => done(error, value),
      ),
    );
    const failure = await failing(raw);
    assert.deepEqual([failure.code, failure.refusal?.reason], ["INVALID_ARGUMENT", "malformed"]);
    const short = call((done) => client.getChannel({ channelId: Buffer.alloc(31) }, done));
    assert.equal((await failing(short)).refusal?.reason, "wrongLength");
  });

  it("refuses compressed messages", async () => {
    const server = await bench.serve({ ackEvents: () => Promise.resolve(ok([])) });
    const client = bench.client(server, bench.channelCredentials(), {
      "grpc.default_compression_algorithm": compressionAlgorithms.gzip,
    });
    const failure = await failing(call((done) => client.ackEvents(EMPTY_ACKS, done)));
    assert.equal(failure.code, "UNIMPLEMENTED");
    assert.match(failure.details, /compressed/);
  });

  it("answers a thrown error with an incident and keeps its text to itself", async () => {
    const server = await bench.serve({
      ackEvents: () => Promise.reject(new Error("preimage 00112233")),
      info: () => {
        throw new StoreFailure("disk full at some path");
      },
    });
    const client = bench.client(server);
    const bug = await failing(call((done) => client.ackEvents(EMPTY_ACKS, done)));
    assert.deepEqual([bug.code, bug.refusal?.reason], ["INTERNAL", "assertion"]);
    assert.deepEqual(bug.refusal?.details, { incident: "0123456789abcdef" });
    const outage = await failing(call((done) => client.getInfo({}, done)));
    assert.deepEqual([outage.code, outage.refusal?.reason], ["UNAVAILABLE", "storeUnavailable"]);
    assert.doesNotMatch(JSON.stringify([bug, outage, bench.log]), /00112233|disk full/);
    assert.ok(bench.log.some(({ level, fields }) => level === "error" && "incident" in fields));
  });

  it("answers `starting` while there is no host yet", async () => {
    const starting = refuse("starting", "waiting for bitcoind");
    const server = await bench.serve({}, { host: () => err(starting) });
    const client = bench.client(server);
    const failure = await failing(call((done) => client.getInfo({}, done)));
    assert.deepEqual([failure.code, failure.refusal?.reason], ["UNAVAILABLE", "starting"]);
    const stream = await failing(ended(client.updateChannel()));
    assert.equal(stream.refusal?.reason, "starting");
  });

  it("answers reserved names with `unimplemented`", async () => {
    const server = await bench.serve({});
    const client = bench.client(server);
    const failures = [
      await failing(call((done) => client.setMembers({}, done))),
      await failing(call((done) => client.retire({}, done))),
      await failing(call((done) => client.reconcile({}, done))),
      await failing(ended(client.snapshotChunks({}))),
    ];
    for (const { code, refusal } of failures) {
      assert.deepEqual([code, refusal?.reason], ["UNIMPLEMENTED", "unimplemented"]);
    }
  });
});

/** Rejects with the error a stream ends with. */
const ended = (stream: NodeJS.EventEmitter): Promise<void> =>
  new Promise((resolve, reject) => {
    stream.on("data", () => undefined);
    stream.on("end", () => resolve());
    stream.on("error", reject);
  });
