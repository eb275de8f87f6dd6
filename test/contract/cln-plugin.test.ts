/**
 * The Core Lightning plugin as a process, spoken to in hand-written messages, with a real manager and a real
 * monitor behind it: what is answered, what is on disk by then, and what monitors hold in the end.
 */
import assert from "node:assert/strict";
import fs from "node:fs";
import { must } from "@farwatch/protocol/assert";
import { channelId } from "@farwatch/protocol/ids";
import { createRpcServer, type RpcServer } from "@farwatch/manager-service/rpc/server";
import { createLog } from "@farwatch/manager-service/observe/log";
import { until } from "../harness/cluster/chain-facts.js";
import { Lightningd } from "../harness/cln/lightningd.js";
import { CLN } from "../harness/cln/vectors.js";
import { Pair } from "./pair.js";

const CONTINUE = { result: "continue" };
const [first, second, other, third] = CLN.revocations;

describe("the Core Lightning plugin without a manager", function () {
  this.timeout(120_000);
  let node: Lightningd;
  beforeEach(() => {
    node = new Lightningd({ options: { "farwatch-manager": "localhost:1" } });
  });
  afterEach(() => node.end());

  it("tells what it is without touching a file", async () => {
    await node.start({ "farwatch-manager": undefined }).then((answer) => {
      assert.deepEqual(answer, { disable: "farwatch-manager is not set" });
    });
    assert.deepEqual(fs.readdirSync(node.folder), ["lightning-rpc"]);
    const manifest = JSON.stringify(await node.ask(CLN.getmanifest));
    assert.match(manifest, /"hooks":\[\{"name":"commitment_revocation"\}\]/);
    assert.match(manifest, /"rpcmethods":\[\{"name":"farwatch-status"/);
  });

  it("says which option is wrong, and the node goes on without it", async () => {
    const wrong = await node.start({ "farwatch-answer": "perhaps" });
    assert.match(JSON.stringify(wrong), /"disable":"farwatch: options.farwatch-answer/);
    assert.deepEqual(await node.ask(must(first, "hook")), CONTINUE, "never an error");
  });

  it("names a certificate that is not there", async () => {
    const missing = await node.start();
    assert.match(JSON.stringify(missing), /"disable":"farwatch: farwatch.ca: cannot read/);
  });
});

describe("the Core Lightning plugin", function () {
  this.timeout(120_000);
  let pair: Pair;
  let server: RpcServer | undefined;
  let node: Lightningd;

  /** The manager's door for the node, on the port that the plugin was told. */
  const openDoor = async (port = 0): Promise<RpcServer> => {
    const { caFile, server: leaf, stranger } = pair.certificates;
    return createRpcServer({
      host: pair.host,
      principals: [
        { spkiSha256: stranger.spkiSha256, name: "cln", nodeKey: CLN.nodeId, admin: false },
      ],
      tls: {
        ca: fs.readFileSync(caFile),
        cert: fs.readFileSync(leaf.certFile),
        key: fs.readFileSync(leaf.keyFile),
      },
      listen: `127.0.0.1:${port}`,
      log: createLog("silent", { write: () => undefined }),
      version: "9.9.9",
      stopGraceMs: 200,
    });
  };
  beforeEach(async () => {
    pair = await Pair.start();
    server = await openDoor();
    const { caFile, stranger } = pair.certificates;
    node = new Lightningd({
      options: {
        "farwatch-manager": `localhost:${server.port}`,
        "farwatch-ca": caFile,
        "farwatch-cert": stranger.certFile,
        "farwatch-key": stranger.keyFile,
      },
    });
  });
  afterEach(async () => {
    await node.end();
    await server?.stop();
    await pair.end();
  });

  const held = async (id: string): Promise<number | undefined> => {
    const { host, manager } = pair.world;
    const who = { ...manager.who, managerKey: pair.managerKey };
    const view = await host.anyChannel(who, channelId(id));
    return view.ok && "penalty" in view.value ? view.value.penalty.penaltyCount : undefined;
  };
  const channelOf = (hook = first): string => must(hook, "hook").params.channel_id;
  const empty = (): Promise<void> =>
    until("an empty queue", async () => (await node.status()).queued === 0);

  it("hands every penalty to the monitor, on the channel it is of", async () => {
    assert.deepEqual(await node.start(), {});
    for (const hook of CLN.revocations) assert.deepEqual(await node.ask(hook), CONTINUE);
    await empty();
    assert.equal(await held(channelOf()), 3);
    assert.equal(await held(channelOf(other)), 1);
    const { channels, connected } = await node.status();
    assert.equal(connected, true);
    assert.deepEqual(
      channels?.map(({ channel_id, durable_updates }) => [channel_id, durable_updates]),
      [
        [channelOf(), 3],
        [channelOf(other), 1],
      ].sort(),
    );
    assert.equal(await node.shutdown(), 0);
  });

  it("answers when the transaction is on disk, and hands it over after kill -9 and an outage", async () => {
    const { port } = must(server, "a door");
    await server?.stop();
    await node.start();
    for (const hook of [first, other])
      assert.deepEqual(await node.ask(must(hook, "hook")), CONTINUE);
    await node.kill9();
    await node.start();
    const asked = await node.ask(must(second, "hook"));
    assert.deepEqual(asked, CONTINUE);
    const waiting = await node.status();
    assert.deepEqual([waiting.queued, waiting.connected], [3, false]);
    assert.ok(node.log.some((line) => line.startsWith("unusual: farwatch: no connection")));
    server = await openDoor(port);
    await empty();
    assert.equal(await held(channelOf()), 2);
    assert.equal(await held(channelOf(other)), 1);
  });

  it("gives the same transaction the same place, and goes on after a kill between any two", async () => {
    await node.start();
    assert.deepEqual(await node.ask(must(first, "hook")), CONTINUE);
    await empty();
    await node.kill9();
    await node.start();
    assert.deepEqual(await node.ask(must(first, "hook")), CONTINUE, "repeated at a restart");
    assert.deepEqual(await node.ask(must(second, "hook")), CONTINUE);
    await empty();
    assert.equal(await held(channelOf()), 3, "stored again, sent as one");
    assert.ok(!node.log.some((line) => line.startsWith("broken")), node.log.join("\n"));
  });

  it("goes on from what the manager has when its own queue is gone", async () => {
    await node.start();
    for (const hook of [first, second]) await node.ask(must(hook, "hook"));
    await empty();
    await node.kill9();
    fs.rmSync(`${node.folder}/farwatch`, { recursive: true });
    await node.start();
    await node.ask(must(third, "hook"));
    await empty();
    assert.equal(await held(channelOf()), 3);
  });

  it("waits for the monitors when told to, and no longer than told", async () => {
    await node.start({ "farwatch-answer": "durable", "farwatch-answer-seconds": 0 });
    assert.deepEqual(await node.ask(must(first, "hook")), CONTINUE);
    assert.equal(await held(channelOf()), 1, "held by the monitor when it was answered");
    await pair.cutOff();
    const hook = must(second, "hook");
    node.send(hook);
    await until("it is queued", async () => (await node.status()).queued === 1);
    assert.equal(node.hasAnswer(hook.id), false);
    await pair.listen();
    await until("an answer", () => node.hasAnswer(hook.id));
    assert.equal(await held(channelOf()), 2);

    await node.kill9();
    await node.start({ "farwatch-answer": "durable", "farwatch-answer-seconds": 1 });
    await pair.cutOff();
    assert.deepEqual(await node.ask(must(third, "hook")), CONTINUE);
    assert.ok(node.log.some((line) => line.includes("on this disk only after 1000 ms")));
    await pair.listen();
    await empty();

    await node.kill9();
    await node.start({ "farwatch-answer": "durable", "farwatch-answer-seconds": 600 });
    await pair.cutOff();
    node.send(must(first, "hook"));
    await until("it is queued", async () => (await node.status()).queued === 1);
    const asked = Date.now();
    assert.equal(await node.shutdown(), 0);
    assert.ok(Date.now() - asked < 10_000, "a hook that waits holds up no shutdown");
  });

  it("tells the monitors when a channel is over, and nothing of other changes", async () => {
    await node.start();
    for (const hook of [first, other]) await node.ask(must(hook, "hook"));
    node.send(CLN.normal);
    node.send(CLN.closed);
    await empty();
    const { host, manager } = pair.world;
    const who = { ...manager.who, managerKey: pair.managerKey };
    for (const [id, isClosed] of [
      [channelOf(), false],
      [channelOf(other), true],
    ] as const) {
      const view = await host.anyChannel(who, channelId(id));
      assert.ok(view.ok && "penalty" in view.value);
      assert.equal(view.value.penalty.closedAt !== undefined, isClosed);
    }
  });

  it("logs what it cannot use and answers all the same", async () => {
    await node.start();
    const hook = must(first, "hook");
    const bad = [
      { ...hook.params, penalty_tx: hook.params.penalty_tx.slice(2) },
      { ...hook.params, penalty_tx: must(second, "hook").params.penalty_tx },
      { ...hook.params, commitnum: -1 },
      { ...hook.params, channel_id: "ab" },
    ];
    for (const params of bad) assert.deepEqual(await node.ask({ ...hook, params }), CONTINUE);
    assert.equal(node.log.filter((line) => line.includes("is not understood")).length, 4);
    assert.equal((await node.status()).queued, 0);
    const unknown = await node.ask({ id: "cln:x#1", method: "x", params: {} });
    assert.match(JSON.stringify(unknown), /not a method of this plugin/);
  });
});
