/** What the RPC layer makes of Done, HtlcNotSent and OpenNodeSession before the host sees them. */
import assert from "node:assert/strict";
import { fromHex } from "@farwatch/protocol/bytes";
import { MAX_INBOUND_PER_SOURCE } from "@farwatch/protocol/convert/limits";
import {
  CommandResult,
  Role,
  type DoneItem,
  type OpenNodeSessionRequest,
} from "@farwatch/protocol/gen/manager/v1/manager_service";
import type { HtlcSource } from "@farwatch/protocol/gen/monitor/v1/channel";
import { ok } from "@farwatch/protocol/result";
import { MAX_REASON_TEXT } from "@farwatch/manager-service/rpc/limits";
import type { AnsweredItem, ManagerHost } from "@farwatch/manager-service/runtime/manager-host";
import {
  Bench,
  call,
  CHANNEL,
  createCertificates,
  failureIn,
  NODE_KEY,
  sessionMetadata,
  SESSION,
  type Certificates,
} from "./manager-rpc-bench.js";

const buffer = (hex: string): Buffer => Buffer.from(fromHex(hex));
const HASH = "07".repeat(32);
const KEY = "08".repeat(32);

describe("answers and words of the node", () => {
  let certificates: Certificates;
  let bench: Bench;
  before(async () => {
    certificates = await createCertificates();
  });
  beforeEach(() => {
    bench = new Bench(certificates);
  });
  afterEach(() => bench.close());

  it("Done reads every answer", async () => {
    const read: AnsweredItem[] = [];
    const client = await bench.open({
      done(_, items) {
        read.push(...items);
        return Promise.resolve(ok([]));
      },
    });
    const result = (value: CommandResult): DoneItem["answer"] => ({
      $case: "commandResult",
      value,
    });
    const cases: readonly (readonly [DoneItem["answer"], AnsweredItem["answer"]])[] = [
      [{ $case: "handled", value: {} }, { kind: "handled" }],
      [{ $case: "retrying", value: {} }, { kind: "retrying" }],
      [
        { $case: "abandon", value: { reason: "r" } },
        { kind: "abandon", reason: "r" },
      ],
      [
        { $case: "probeOk", value: {} },
        { kind: "probe", succeeded: true },
      ],
      [
        { $case: "probeFailed", value: {} },
        { kind: "probe", succeeded: false },
      ],
      [result(CommandResult.SENT), { kind: "command", result: "sent" }],
      [result(CommandResult.QUEUED), { kind: "command", result: "queued" }],
      [result(CommandResult.ALREADY_REMOVING), { kind: "command", result: "alreadyRemoving" }],
      [result(CommandResult.NOT_FOUND), { kind: "command", result: "notFound" }],
      [result(CommandResult.CHANNEL_CLOSED), { kind: "command", result: "channelClosed" }],
    ];
    const items = cases.map(([answer], index) => ({ itemId: BigInt(index + 1), answer }));
    await call((done) => client.done({ items }, sessionMetadata(), done));
    const expected = cases.map(([, answer], index) => ({ itemId: BigInt(index + 1), answer }));
    assert.deepEqual(read, expected);
  });

  it("Done refuses a result of a later version, and the text of a long reason", async () => {
    const client = await bench.open({ done: () => Promise.resolve(ok([])) });
    const failure = (answer: DoneItem["answer"]) =>
      failureIn((done) =>
        client.done({ items: [{ itemId: 1n, answer }] }, sessionMetadata(), done),
      );
    const later = CommandResult.CHANNEL_CLOSED + 1;
    const { refusal } = await failure({ $case: "commandResult", value: later });
    assert.deepEqual(
      [refusal?.reason, refusal?.details["field"]],
      ["malformed", "items[0].answer.command_result"],
    );
    const abandon = (length: number): DoneItem["answer"] => ({
      $case: "abandon",
      value: { reason: "x".repeat(length) },
    });
    assert.equal((await failure(abandon(MAX_REASON_TEXT + 1))).refusal?.reason, "tooLarge");
    const items = [{ itemId: 1n, answer: abandon(MAX_REASON_TEXT) }];
    await call((done) => client.done({ items }, sessionMetadata(), done));
  });

  type NotSent = Parameters<ManagerHost["htlcNotSent"]>[1];
  const notSent = async () => {
    const asked: NotSent[] = [];
    const client = await bench.open({
      htlcNotSent(_, request) {
        asked.push(request);
        return Promise.resolve(ok(undefined));
      },
    });
    const request = (kind: HtlcSource["kind"], reason = "no liquidity") => ({
      channelId: buffer(CHANNEL),
      source: { sourceKey: buffer(KEY), kind, opaque: Buffer.from([1]) },
      paymentHash: buffer(HASH),
      reason,
    });
    return { asked, client, request };
  };
  const inbound = (id: number) => ({
    channelId: buffer(CHANNEL),
    htlcId: BigInt(id),
    amountMsat: 5n,
    cltvExpiry: 600,
    userChannelId: Buffer.alloc(16, 3),
  });
  const inboundRead = (id: number) => ({
    channelId: CHANNEL,
    htlcId: BigInt(id),
    amountMsat: 5n,
    cltvExpiry: 600,
    userChannelId: new Uint8Array(16).fill(3),
  });

  it("HtlcNotSent takes the source of a forward and of a trampoline", async () => {
    const { asked, client, request } = await notSent();
    const forward = { inbound: inbound(1), intercepted: true };
    const many = Array.from({ length: MAX_INBOUND_PER_SOURCE + 1 }, (_, id) => inbound(id));
    const meta = sessionMetadata();
    await call((done) =>
      client.htlcNotSent(request({ $case: "forward", value: forward }), meta, done),
    );
    const most = { $case: "trampoline", value: { inbound: many.slice(1) } } as const;
    await call((done) => client.htlcNotSent(request(most), meta, done));
    const [first, second] = asked.map(({ source }) => source);
    assert.deepEqual(first, {
      sourceKey: KEY,
      origin: { kind: "forward", inbound: inboundRead(1), intercepted: true },
      opaque: new Uint8Array([1]),
    });
    const trampoline = many.slice(1).map(({ htlcId }) => inboundRead(Number(htlcId)));
    assert.deepEqual(second?.origin, { kind: "trampoline", inbound: trampoline });
    const tooMany = { $case: "trampoline", value: { inbound: many } } as const;
    const refused = await failureIn((done) => client.htlcNotSent(request(tooMany), meta, done));
    assert.equal(refused.refusal?.reason, "tooLarge");
    assert.equal(asked.length, 2);
  });

  it("HtlcNotSent bounds the text of its reason", async () => {
    const { asked, client, request } = await notSent();
    const kind = { $case: "forward", value: { inbound: inbound(1), intercepted: false } } as const;
    const meta = sessionMetadata();
    const fits = request(kind, "x".repeat(MAX_REASON_TEXT));
    await call((done) => client.htlcNotSent(fits, meta, done));
    const long = request(kind, "x".repeat(MAX_REASON_TEXT + 1));
    const refused = await failureIn((done) => client.htlcNotSent(long, meta, done));
    assert.equal(refused.refusal?.reason, "tooLarge");
    assert.equal(asked.length, 1);
  });

  describe("OpenNodeSession", () => {
    const request: OpenNodeSessionRequest = {
      nodeKey: buffer(NODE_KEY),
      nodeEpoch: 1n,
      role: Role.MANAGER_RESOLVES,
      ldkVersion: undefined,
      channels: [],
    };
    const opening = async () => {
      const asked: OpenNodeSessionRequest[] = [];
      const htlc = { channelId: buffer(CHANNEL), htlcId: 3n, amountMsat: 5n };
      const owned = { ...htlc, userChannelId: undefined };
      const client = await bench.open({
        openSession(_, opened) {
          asked.push(opened);
          const answer = { sessionId: buffer(SESSION), channels: [], ownedInbound: [owned] };
          return Promise.resolve(ok(answer));
        },
      });
      const open = (change: Partial<OpenNodeSessionRequest>) =>
        call<{ readonly ownedInbound: readonly object[] }>((done) =>
          client.openNodeSession({ ...request, ...change }, done),
        );
      const refused = async (change: Partial<OpenNodeSessionRequest>) =>
        (await failureIn((done) => client.openNodeSession({ ...request, ...change }, done))).refusal
          ?.reason;
      return { asked, owned, open, refused };
    };

    it("hands on each of the three roles, and the HTLCs that are owned back", async () => {
      const { asked, owned, open, refused } = await opening();
      const roles = [Role.MANAGER_RESOLVES, Role.NODE_RESOLVES, Role.OBSERVE];
      for (const role of roles) assert.deepEqual((await open({ role })).ownedInbound, [owned]);
      assert.deepEqual(
        asked.map(({ role }) => role),
        roles,
      );
      assert.equal(await refused({ role: Role.OBSERVE + 1 }), "unknownRole");
    });

    it("bounds the name of a version", async () => {
      const { open, refused } = await opening();
      await open({ ldkVersion: "x".repeat(MAX_REASON_TEXT) });
      assert.equal(await refused({ ldkVersion: "x".repeat(MAX_REASON_TEXT + 1) }), "tooLarge");
    });
  });
});
