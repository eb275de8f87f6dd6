/** The RPC client against a local server: limits at their edges, cookies, and what errors may say. */
import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import type { ServerResponse } from "node:http";
import os from "node:os";
import path from "node:path";
import {
  BitcoindRpc,
  RPC_MAX_IN_FLIGHT,
  RPC_MAX_RESPONSE_BYTES,
  RPC_TIMEOUT_MS,
  RpcRefusal,
  type RpcOptions,
} from "./bitcoind-rpc.js";
import { ChainUnavailable } from "./chain-source.js";
import { idOf, serve, type LocalHttp } from "./testing/local-http.js";
import { eventually } from "./testing/quiet.js";

const PASSWORD = "hunter2-secret";
const auth = { kind: "password", user: "alice", password: PASSWORD } as const;

describe("bitcoind RPC client", () => {
  const servers: LocalHttp[] = [];
  afterEach(async () => {
    for (const server of servers.splice(0)) await server.close();
  });
  async function client(
    answer: Parameters<typeof serve>[0],
    options: Partial<RpcOptions> = {},
  ): Promise<BitcoindRpc> {
    const server = await serve(answer);
    servers.push(server);
    return new BitcoindRpc({ url: server.url, auth, ...options });
  }
  const reply = (response: ServerResponse, body: string, fields: object, status = 200): void => {
    response.writeHead(status).end(JSON.stringify({ jsonrpc: "2.0", id: idOf(body), ...fields }));
  };
  const unavailable = (text: RegExp) => (error: unknown) => {
    assert.ok(error instanceof ChainUnavailable);
    assert.match(error.message, text);
    const everything = JSON.stringify([error.message, error.stack, String(error.cause)]);
    assert.ok(!everything.includes(PASSWORD) && !everything.includes("Basic "), "no credentials");
    return true;
  };

  it("has the limits the specification names", () => {
    assert.equal(RPC_TIMEOUT_MS, 30_000);
    assert.equal(RPC_MAX_IN_FLIGHT, 16);
    assert.equal(RPC_MAX_RESPONSE_BYTES, 32 * 1024 * 1024);
  });

  it("sends method, parameters and credentials, and returns the result", async () => {
    const rpc = await client((request, response, body) => {
      const expected = `Basic ${Buffer.from(`alice:${PASSWORD}`).toString("base64")}`;
      assert.equal(request.headers.authorization, expected);
      reply(response, body, { result: { path: request.url, body: JSON.parse(body) } });
    });
    const sent = { jsonrpc: "2.0", id: 1, method: "getblockhash", params: [7] };
    assert.deepEqual(await rpc.call("getblockhash", [7]), { path: "/", body: sent });
    const named = await rpc.call("getbalance", { x: 1 }, { wallet: "a b/c" });
    assert.ok(typeof named === "object" && named !== null && "path" in named);
    assert.equal(named.path, "/wallet/a%20b%2Fc");
  });

  it("throws bitcoind's refusal with its code, whatever the HTTP status", async () => {
    for (const status of [200, 404, 500]) {
      const rpc = await client((_, response, body) =>
        reply(response, body, { error: { code: -5, message: "Block not found" } }, status),
      );
      await assert.rejects(rpc.call("getblock"), (error: unknown) => {
        assert.ok(error instanceof RpcRefusal);
        assert.deepEqual([error.code, error.method], [-5, "getblock"]);
        return true;
      });
    }
  });

  it("takes a node that is warming up, broken, or no bitcoind at all for an outage", async () => {
    const answers: ((response: ServerResponse, body: string) => void)[] = [
      (r, body) => reply(r, body, { error: { code: -28, message: "Loading block index" } }, 500),
      (r, body) => reply(r, body, { error: { code: "x" } }),
      (r) => r.writeHead(503).end("Work queue depth exceeded"),
      (r) => r.end("<html>"),
      (r) => r.end('{"result": 1, "id": 1'),
      (r) => r.end("[]"),
      (r) => r.end('{"result":1,"id":"another"}'),
      (r, body) => reply(r, body, {}),
      (r) => r.writeHead(302, { location: "http://127.0.0.1:9/" }).end(),
      (r) => void r.destroy(),
    ];
    for (const answer of answers) {
      const rpc = await client((_, response, body) => answer(response, body));
      await assert.rejects(rpc.call("getblockcount"), unavailable(/^getblockcount: /));
    }
    const nobody = new BitcoindRpc({ url: "http://127.0.0.1:9", auth });
    await assert.rejects(nobody.call("getblockcount"), unavailable(/request failed/));
  });

  it("reads an answer of exactly the limit and refuses one byte more", async () => {
    const limit = 4_096;
    let extra = 0;
    const options = { maxResponseBytes: limit };
    const rpc = await client((_, response, body) => {
      const empty = JSON.stringify({ jsonrpc: "2.0", id: idOf(body), result: "" });
      reply(response, body, { result: "x".repeat(limit - empty.length + extra) });
    }, options);
    assert.equal(typeof (await rpc.call("getblock")), "string");
    extra = 1;
    await assert.rejects(rpc.call("getblock"), unavailable(/longer than 4096 bytes/));
  });

  it("stops reading an endless answer", async () => {
    let sent = 0;
    const rpc = await client((_, response) => {
      const chunk = Buffer.alloc(1024 * 1024, 0x20);
      const more = (): void => {
        while (!response.destroyed && sent < 1_000 * chunk.length) {
          sent += chunk.length;
          if (!response.write(chunk)) return void response.once("drain", more);
        }
      };
      more();
    });
    await assert.rejects(rpc.call("getblock"), unavailable(/longer than 33554432 bytes/));
    assert.ok(sent < 100 * 1024 * 1024, "the server was cut off");
  });

  it("gives up on a node that hangs, before or in the middle of its answer", async () => {
    const rpc = await client(
      (request, response) => {
        if (request.url !== "/") response.write("{");
      },
      { timeoutMs: 50 },
    );
    await assert.rejects(rpc.call("getblockcount"), unavailable(/no answer within 50 ms/));
    await assert.rejects(rpc.getBinary("/rest/x"), unavailable(/no answer within 50 ms/));
    await assert.rejects(rpc.call("x", [], { timeoutMs: 20 }), unavailable(/within 20 ms/));
  });

  it("keeps at most 16 requests in flight and still answers all", async () => {
    const open: (() => void)[] = [];
    let most = 0;
    const rpc = await client((_, response, body) => {
      open.push(() => reply(response, body, { result: 1 }));
      most = Math.max(most, open.length);
    });
    const calls = Array.from({ length: 40 }, () => rpc.call("getblockcount"));
    await eventually("16 in flight", () => open.length === RPC_MAX_IN_FLIGHT);
    const finished = Promise.all(calls);
    let answered = 0;
    while (answered < 40) {
      await eventually("another request", () => open.length > 0);
      open.shift()?.();
      answered++;
    }
    assert.equal((await finished).length, 40);
    assert.equal(most, RPC_MAX_IN_FLIGHT);
  });

  it("reads the cookie again after a 401, once per call", async () => {
    const folder = await mkdtemp(path.join(os.tmpdir(), "farwatch-cookie-"));
    const file = path.join(folder, ".cookie");
    let valid = "__cookie__:one";
    let requests = 0;
    const options: Partial<RpcOptions> = { auth: { kind: "cookie", path: file } };
    const rpc = await client((request, response, body) => {
      requests++;
      const given = `Basic ${Buffer.from(valid).toString("base64")}`;
      if (request.headers.authorization === given) reply(response, body, { result: 1 });
      else response.writeHead(401).end();
    }, options);
    await assert.rejects(rpc.call("x"), unavailable(/cookie file cannot be read/));
    await writeFile(file, `${valid}\n`);
    assert.equal(await rpc.call("x"), 1);
    valid = "__cookie__:two";
    await writeFile(file, valid);
    assert.equal(await rpc.call("x"), 1);
    assert.equal(requests, 3);
    valid = "__cookie__:three";
    await assert.rejects(rpc.call("x"), unavailable(/does not accept our credentials/));
    assert.equal(requests, 5);
    await rm(folder, { recursive: true });
  });

  it("refuses an address with credentials or a path, without repeating it", () => {
    for (const url of [`http://bob:${PASSWORD}@127.0.0.1:1`, "http://h:1/x", "ftp://h", "::"]) {
      assert.throws(
        () => new BitcoindRpc({ url, auth }),
        (error: unknown) => error instanceof Error && !error.message.includes(PASSWORD),
      );
    }
  });

  it("ends what is under way when closed, and refuses more", async () => {
    const rpc = await client(() => undefined);
    const call = assert.rejects(rpc.call("getblockcount"), unavailable(/request failed/));
    rpc.close();
    await call;
    await assert.rejects(rpc.call("getblockcount"), unavailable(/request failed/));
  });

  it("gets bytes from REST, and undefined where there is no REST", async () => {
    const rpc = await client((request, response) => {
      const status = Number(request.url?.slice(1));
      response.writeHead(status).end(Buffer.from([1, 2, 3]));
    });
    assert.deepEqual(Buffer.from((await rpc.getBinary("/200")) ?? []), Buffer.from([1, 2, 3]));
    assert.equal(await rpc.getBinary("/404"), undefined);
    assert.equal(await rpc.getBinary("/403"), undefined);
    await assert.rejects(rpc.getBinary("/503"), unavailable(/HTTP 503/));
  });
});
