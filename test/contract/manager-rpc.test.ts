/** ManagerService's edge, unary calls: who may call, what is refused before the host, how it is told. */
import assert from "node:assert/strict";
import { credentials, status } from "@grpc/grpc-js";
import { fromHex } from "@farwatch/protocol/bytes";
import {
  CommandResult,
  ManagerServiceClient,
  Role,
  type DoneItem,
  type GetChannelResponse,
  type GetInfoResponse,
  type ListChannelsResponse,
} from "@farwatch/protocol/gen/manager/v1/manager_service";
import { REASONS, refuse, type Reason } from "@farwatch/protocol/reasons";
import { err, ok } from "@farwatch/protocol/result";
import { txid } from "@farwatch/protocol/ids";
import {
  MAX_BUMP_REQUEST_BYTES,
  MAX_DONE_ITEMS,
  MAX_PAGE_SIZE,
  MAX_REASON_TEXT,
  MAX_REQUEST_BYTES,
  MAX_STATE_REQUEST_BYTES,
} from "@farwatch/manager-service/rpc/limits";
import type { ManagerHost } from "@farwatch/manager-service/runtime/manager-host";
import {
  Bench,
  call,
  CHANNEL,
  createCertificates,
  failureIn,
  NODE_KEY,
  SESSION,
  sessionMetadata,
  type Certificates,
} from "./manager-rpc-bench.js";

const INFO: Awaited<ReturnType<ManagerHost["info"]>> = {
  managerKey: "22".repeat(32),
  epoch: 7n,
  curveBackend: "noble",
  channels: 1,
  unhandledItems: 2,
  pendingAcks: 3,
  pendingEvents: 4,
  oldestPendingEventAtMs: 1_700_000_000_000,
  replayDone: true,
};
const bytes = (hex: string): Buffer => Buffer.from(fromHex(hex));
const handled = (itemId: bigint): DoneItem => ({ itemId, answer: { $case: "handled", value: {} } });

describe("ManagerService, unary calls", () => {
  let certificates: Certificates;
  let bench: Bench;
  before(async () => {
    certificates = await createCertificates();
  });
  beforeEach(() => {
    bench = new Bench(certificates);
  });
  afterEach(() => bench.close());

  describe("who may call", () => {
    it("answers GetInfo to a configured node without a session", async () => {
      const client = await bench.open({ info: () => Promise.resolve(INFO) });
      const info = await call<GetInfoResponse>((done) => client.getInfo({}, done));
      assert.equal(info.version, "9.9.9");
      assert.equal(info.epoch, 7n);
      assert.deepEqual(info.managerKey, bytes(INFO.managerKey));
      assert.deepEqual(info.supportedRoles, [
        Role.MANAGER_RESOLVES,
        Role.NODE_RESOLVES,
        Role.OBSERVE,
      ]);
      assert.deepEqual([info.channels, info.unhandledItems, info.pendingAcks], [1n, 2n, 3n]);
      assert.equal(info.pendingEvents, 4n);
      assert.equal(info.oldestPendingEventAtMs, 1_700_000_000_000n);
      assert.equal(info.replayDone, true);
    });

    it("refuses a certificate of the same authority that no node is configured for", async () => {
      const server = await bench.serve({ info: () => Promise.resolve(INFO) });
      const client = bench.client(server, certificates.stranger);
      const failure = await failureIn((done) => client.getInfo({}, done));
      assert.equal(failure.code, status.PERMISSION_DENIED);
      assert.equal(failure.refusal?.reason, "notYourChannel");
      assert.equal(failure.refusal?.details["spki"], certificates.stranger.spkiSha256);
    });

    it("refuses the handshake of a client of another authority, or without a certificate", async () => {
      const server = await bench.serve({ info: () => Promise.resolve(INFO) });
      const other = await createCertificates();
      const foreign = bench.client(server, other.node);
      const failure = await failureIn((done) => foreign.getInfo({}, done));
      assert.equal(failure.code, status.UNAVAILABLE);
      const ca = (await import("node:fs")).readFileSync(certificates.authority.caFile);
      const bare = new ManagerServiceClient(`localhost:${server.port}`, credentials.createSsl(ca));
      assert.equal((await failureIn((done) => bare.getInfo({}, done))).code, status.UNAVAILABLE);
      bare.close();
    });

    it("wants a session on every call but OpenNodeSession and GetInfo", async () => {
      const client = await bench.open({ monitors: () => Promise.resolve([]) });
      const missing = await failureIn((done) => client.listMonitors({}, done));
      assert.equal(missing.code, status.FAILED_PRECONDITION);
      assert.equal(missing.refusal?.reason, "sessionNotOpen");
      const replaced = await failureIn((done) =>
        client.listMonitors({}, sessionMetadata("ff".repeat(16)), done),
      );
      assert.equal(replaced.refusal?.reason, "fenced");
      for (const text of [SESSION.slice(2), SESSION.toUpperCase(), `${SESSION}00`, "zz"]) {
        const malformed = await failureIn((done) =>
          client.listMonitors({}, sessionMetadata(text), done),
        );
        assert.equal(malformed.refusal?.reason, "malformed", text);
      }
      const twice = sessionMetadata();
      twice.add("farwatch-session", SESSION);
      const doubled = await failureIn((done) => client.listMonitors({}, twice, done));
      assert.equal(doubled.refusal?.reason, "malformed");
      await call((done) => client.listMonitors({}, sessionMetadata(), done));
    });
  });

  describe("OpenNodeSession", () => {
    const request = {
      nodeKey: bytes(NODE_KEY),
      nodeEpoch: 1n,
      role: Role.MANAGER_RESOLVES,
      ldkVersion: undefined,
      channels: [],
    };

    it("hands on who calls and what it said", async () => {
      const asked: unknown[] = [];
      const client = await bench.open({
        openSession(who, { nodeEpoch }) {
          asked.push(who, nodeEpoch);
          return Promise.resolve(ok({ sessionId: bytes(SESSION), channels: [], ownedInbound: [] }));
        },
      });
      await call((done) => client.openNodeSession(request, done));
      assert.deepEqual(asked, [{ name: "alice", nodeKey: NODE_KEY, admin: false }, 1n]);
    });

    const cases: readonly (readonly [string, Partial<typeof request>, Reason])[] = [
      ["another node's key", { nodeKey: bytes(`03${"11".repeat(32)}`) }, "notYourChannel"],
      ["a short key", { nodeKey: bytes("02") }, "wrongLength"],
      ["no role", { role: Role.UNSPECIFIED }, "unknownRole"],
    ];
    for (const [what, change, reason] of cases) {
      it(`refuses ${what} as ${reason}`, async () => {
        const client = await bench.open({});
        const failure = await failureIn((done) =>
          client.openNodeSession({ ...request, ...change }, done),
        );
        assert.equal(failure.refusal?.reason, reason);
        assert.equal(failure.code, status[REASONS[reason].grpc]);
      });
    }
  });

  it("tells every reason with its own status and the detail in the trailer", async () => {
    let reason: Reason = "malformed";
    const client = await bench.open({
      channel: () => Promise.resolve(err(refuse(reason, "why", { expected_update_id: "5" }))),
    });
    for (const each of Object.keys(REASONS) as Reason[]) {
      reason = each;
      const failure = await failureIn((done) =>
        client.getChannel({ channelId: bytes(CHANNEL) }, sessionMetadata(), done),
      );
      assert.equal(failure.code, status[REASONS[each].grpc], each);
      assert.deepEqual(failure.refusal, refuse(each, "why", { expected_update_id: "5" }));
    }
  });

  it("answers a bug with INTERNAL and an incident id, and logs no message", async () => {
    const client = await bench.open({
      channel() {
        throw new RangeError("preimage 0011223344");
      },
    });
    const failure = await failureIn((done) =>
      client.getChannel({ channelId: bytes(CHANNEL) }, sessionMetadata(), done),
    );
    assert.equal(failure.code, status.INTERNAL);
    assert.equal(failure.refusal?.reason, "assertion");
    const incident = failure.refusal?.details["incident_id"] ?? "";
    assert.match(incident, /^[0-9a-f-]{36}$/);
    const logged = bench.logged.join("");
    assert.ok(logged.includes(incident) && logged.includes("RangeError"));
    assert.ok(!logged.includes("0011223344") && !failure.refusal?.message.includes("0011"));
  });

  it("hands HtlcNotSent to the host, and refuses one without a source before that", async () => {
    const committed = refuse("htlcCommitted", "an accepted update contains it");
    const client = await bench.open({ htlcNotSent: () => Promise.resolve(err(committed)) });
    const zeros = Buffer.alloc(32);
    const request = { paymentHash: zeros, reason: "no route", channelId: bytes(CHANNEL) };
    const own = { paymentId: zeros, partKey: zeros, pathSummary: zeros, firstHopMsat: 1n };
    const kind = { $case: "own", value: own } as const;
    const source = { sourceKey: zeros, kind, opaque: Buffer.alloc(0) };
    const refused = await failureIn((done) =>
      client.htlcNotSent({ ...request, source }, sessionMetadata(), done),
    );
    assert.equal(refused.refusal?.reason, "htlcCommitted");
    assert.equal(refused.code, status.FAILED_PRECONDITION);
    const malformed = await failureIn((done) =>
      client.htlcNotSent({ ...request, source: undefined }, sessionMetadata(), done),
    );
    assert.equal(malformed.refusal?.details["field"], "source");
  });

  describe("sizes", () => {
    it("takes a request of the limit and refuses one byte more as tooLarge", async () => {
      const client = await bench.open({
        done: () => Promise.resolve(ok([])),
        watchChannel: () =>
          Promise.resolve(err(refuse("keysMismatch", "the host was asked with it"))),
      });
      // One item: 5 bytes of framing for the item, 5 for the answer, 5 for the text, 2 for the id.
      const watch = async (length: number): Promise<Reason | undefined> => {
        const initialState = Buffer.alloc(length);
        const failure = await failureIn((finish) =>
          client.watchChannel({ initialState, firstUpdateId: 1n }, sessionMetadata(), finish),
        );
        return failure.refusal?.reason;
      };
      // Field 1 of that length costs 1 + 4 bytes, field 2 costs 2.
      const fits = MAX_STATE_REQUEST_BYTES - 7;
      assert.equal(await watch(fits), "keysMismatch");
      assert.equal(await watch(fits + 1), "tooLarge");
      const beyond = await failureIn((finish) =>
        client.watchChannel(
          { initialState: Buffer.alloc(5 * 1024 * 1024), firstUpdateId: 1n },
          sessionMetadata(),
          finish,
        ),
      );
      assert.equal(beyond.code, status.RESOURCE_EXHAUSTED);
    });

    it("holds other requests to the smaller limit", async () => {
      const client = await bench.open({
        channel: () => Promise.resolve(err(refuse("channelUnknown", "the host was asked"))),
      });
      const ask = async (length: number): Promise<Reason | undefined> => {
        const request = { channelId: Buffer.alloc(length) };
        const failure = await failureIn((done) =>
          client.getChannel(request, sessionMetadata(), done),
        );
        return failure.refusal?.reason;
      };
      const fits = MAX_REQUEST_BYTES - 4;
      assert.equal(await ask(fits), "wrongLength");
      assert.equal(await ask(fits + 1), "tooLarge");
      assert.equal(await ask(32), "channelUnknown");
    });

    it("takes a large SignBump, and stays below what the monitor takes", async () => {
      const client = await bench.open({
        signBump: () => Promise.resolve(err(refuse("claimUnknown", "the host was asked"))),
      });
      const sign = async (length: number): Promise<Reason | undefined> => {
        const request = {
          monitor: "a",
          channelId: bytes(CHANNEL),
          claimId: Buffer.alloc(32),
          funded: { $case: "psbt" as const, value: Buffer.alloc(length) },
        };
        const failure = await failureIn((done) =>
          client.signBump(request, sessionMetadata(), done),
        );
        return failure.refusal?.reason;
      };
      // The name costs 3 bytes, each id 34, the field of that length 1 + 4.
      const fits = MAX_BUMP_REQUEST_BYTES - 76;
      assert.equal(await sign(fits), "claimUnknown");
      assert.equal(await sign(fits + 1), "tooLarge");
    });

    it("bounds the text of a reason", async () => {
      const closing = txid("01" + "00".repeat(31));
      const client = await bench.open({ forceClose: () => Promise.resolve(ok([closing])) });
      const close = (length: number) => ({
        channelId: bytes(CHANNEL),
        reason: "x".repeat(length),
        overrideStale: false,
      });
      const answer = await call<{ readonly commitmentTxids: readonly Buffer[] }>((done) =>
        client.forceClose(close(MAX_REASON_TEXT), sessionMetadata(), done),
      );
      assert.deepEqual(answer.commitmentTxids, [bytes("00".repeat(31) + "01")]);
      const failure = await failureIn((done) =>
        client.forceClose(close(MAX_REASON_TEXT + 1), sessionMetadata(), done),
      );
      assert.equal(failure.refusal?.reason, "tooLarge");
    });
  });

  describe("Done", () => {
    it("tells the ids that are not known", async () => {
      const client = await bench.open({
        done: (_, items) =>
          Promise.resolve(ok(items.map(({ itemId }) => itemId).filter((id) => id > 1n))),
      });
      const answer = await call<{ readonly unknownItems: readonly bigint[] }>((done) =>
        client.done({ items: [handled(1n), handled(2n)] }, sessionMetadata(), done),
      );
      assert.deepEqual(answer.unknownItems, [2n]);
    });

    const many = (count: number) => Array.from({ length: count }, (_, i) => handled(BigInt(i)));
    const cases: readonly (readonly [string, readonly DoneItem[], Reason])[] = [
      ["an item without an answer", [{ itemId: 1n, answer: undefined }], "malformed"],
      ["an item named twice", [handled(1n), handled(1n)], "malformed"],
      ["too many items", many(MAX_DONE_ITEMS + 1), "tooLarge"],
      [
        "a command result that is none",
        [{ itemId: 1n, answer: { $case: "commandResult", value: CommandResult.UNSPECIFIED } }],
        "malformed",
      ],
    ];
    for (const [what, items, reason] of cases) {
      it(`refuses ${what} as ${reason}`, async () => {
        const client = await bench.open({});
        const failure = await failureIn((done) => client.done({ items }, sessionMetadata(), done));
        assert.equal(failure.refusal?.reason, reason);
      });
    }
    it("takes as many items as allowed", async () => {
      const client = await bench.open({ done: () => Promise.resolve(ok([])) });
      const items = many(MAX_DONE_ITEMS);
      await call((done) => client.done({ items }, sessionMetadata(), done));
    });
  });

  it("pages ListChannels by the last id, with at most 100 entries a page", async () => {
    const ids = Array.from({ length: 150 }, (_, i) => i.toString(16).padStart(64, "0"));
    const view = (id: string): GetChannelResponse => ({
      channelId: bytes(id),
      role: Role.MANAGER_RESOLVES,
      acceptedId: 0n,
      durableId: 0n,
      headHash: Buffer.alloc(0),
      monitors: [],
      closed: false,
      closureReason: undefined,
      frozen: false,
    });
    const client = await bench.open({
      channels: (_, after, limit) =>
        Promise.resolve(
          ids
            .filter((id) => id > (after ?? ""))
            .slice(0, limit)
            .map(view),
        ),
    });
    const page = (pageSize: number, pageToken: Buffer) =>
      call<ListChannelsResponse>((done) =>
        client.listChannels({ pageSize, pageToken }, sessionMetadata(), done),
      );
    const first = await page(1_000, Buffer.alloc(0));
    assert.equal(first.channels.length, MAX_PAGE_SIZE);
    const second = await page(0, first.nextPageToken);
    assert.equal(second.channels.length, 50);
    assert.equal(second.nextPageToken.length, 0);
    assert.equal((await page(3, Buffer.alloc(0))).channels.length, 3);
    const failure = await failureIn((done) =>
      client.listChannels({ pageSize: 1, pageToken: Buffer.alloc(5) }, sessionMetadata(), done),
    );
    assert.equal(failure.refusal?.reason, "wrongLength");
  });
});
