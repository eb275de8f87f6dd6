/** bitcoind's answers -> the port: well-formed ones are read, all others are outages or refusals. */
import assert from "node:assert/strict";
import { Transaction } from "bitcoinjs-lib";
import { blockHash, blockHeight } from "@farwatch/protocol/block";
import { must } from "@farwatch/protocol/assert";
import { toHex } from "@farwatch/protocol/bytes";
import { txid } from "@farwatch/protocol/ids";
import { feerateOf, MAX_ESTIMATE_PER_KW } from "./answers.js";
import { BitcoindRpc } from "./bitcoind-rpc.js";
import { BitcoindSource, FALLBACK_FEERATES, MIN_FEERATE_PER_KW } from "./bitcoind-source.js";
import { BlockPruned, ChainUnavailable } from "./chain-source.js";
import { classifyRejection } from "./classify-rejection.js";
import type { ChainName } from "./proof-of-work.js";
import { mineBlock } from "./testing/fake-chain.js";
import { callOf, idOf, serve, type LocalHttp } from "./testing/local-http.js";

/** A result, or an RPC error. */
type Answer = { result: unknown } | { error: { code: number; message: string } };
type Answers = Record<string, Answer | ((params: unknown) => Answer)>;
const refuse = (code: number, message = "no"): Answer => ({ error: { code, message } });

describe("bitcoind source", () => {
  const servers: LocalHttp[] = [];
  const sources: BitcoindSource[] = [];
  afterEach(async () => {
    for (const source of sources.splice(0)) await source.close();
    for (const server of servers.splice(0)) await server.close();
  });
  async function open(answers: Answers, chain: ChainName = "main"): Promise<BitcoindSource> {
    const server = await serve((request, response, body) => {
      if (request.method === "GET") return void response.writeHead(404).end();
      const { method, params } = callOf(body);
      const answer = must(answers[String(method)], `an answer for ${String(method)}`);
      const fields = typeof answer === "function" ? answer(params) : answer;
      response.end(JSON.stringify({ jsonrpc: "2.0", id: idOf(body), ...fields }));
    });
    servers.push(server);
    const rpc = new BitcoindRpc({
      url: server.url,
      auth: { kind: "password", user: "u", password: "p" },
    });
    const source = await BitcoindSource.open({ rpc, chain });
    sources.push(source);
    return source;
  }
  const { header, raw } = mineBlock(undefined);
  const [parent, child] = [1, 2].map((version) => {
    const tx = new Transaction();
    tx.version = version;
    tx.addInput(new Uint8Array(32).fill(7), 0);
    tx.addOutput(Uint8Array.of(0x51), 1_000n);
    return Uint8Array.from(tx.toBuffer());
  });
  assert.ok(parent !== undefined && child !== undefined);
  const tip = { chain: "main", blocks: 7, bestblockhash: header.hash, initialblockdownload: false };

  it("knows the tip only of the right chain, and not during the initial download", async () => {
    const source = await open({ getblockchaininfo: { result: tip } });
    assert.deepEqual(await source.tip(), { height: 7, hash: header.hash });
    const bad: [object, ChainName][] = [
      [{ ...tip, chain: "test" }, "main"],
      [{ ...tip, initialblockdownload: true }, "main"],
      [{ ...tip, blocks: 7.5 }, "main"],
      [{ ...tip, blocks: -1 }, "main"],
      [{ ...tip, blocks: "7" }, "main"],
      [{ ...tip, bestblockhash: header.hash.slice(1) }, "main"],
      [{ ...tip, bestblockhash: null }, "main"],
      [[], "main"],
    ];
    for (const [result, chain] of bad) {
      const lying = await open({ getblockchaininfo: { result } }, chain);
      await assert.rejects(lying.tip(), ChainUnavailable);
    }
    const young = { ...tip, chain: "regtest", initialblockdownload: true };
    const regtest = await open({ getblockchaininfo: { result: young } }, "regtest");
    assert.equal((await regtest.tip()).height, 7);
  });

  it("puts the 80 bytes of a header together again", async () => {
    const view = new DataView(header.raw.buffer);
    const result = {
      hash: header.hash,
      height: 0,
      version: view.getInt32(0, true),
      merkleroot: toHex(Uint8Array.from(header.merkleRoot).reverse()),
      time: header.time,
      nonce: view.getUint32(76, true),
      bits: "207fffff",
    };
    const source = await open({ getblockheader: { result } });
    assert.deepEqual(await source.header(header.hash), header);
    for (const field of ["hash", "merkleroot", "height", "bits"]) {
      const lying = await open({ getblockheader: { result: { ...result, [field]: null } } });
      await assert.rejects(lying.header(header.hash), ChainUnavailable, field);
    }
  });

  it("tells who spends an output in the mempool", async () => {
    const spender = toHex(new Uint8Array(32).fill(0xab));
    const outpoint = { txid: txid(header.hash), vout: 3 };
    const source = await open({
      gettxspendingprevout: (params) => {
        assert.deepEqual(params, [[outpoint]]);
        return { result: [{ ...outpoint, spendingtxid: spender }] };
      },
    });
    assert.equal(await source.mempoolSpender(outpoint), spender);
    const empty = await open({ gettxspendingprevout: { result: [outpoint] } });
    assert.equal(await empty.mempoolSpender(outpoint), undefined);
    for (const result of [null, [], [{ ...outpoint, spendingtxid: 7 }]]) {
      const lying = await open({ gettxspendingprevout: { result } });
      await assert.rejects(lying.mempoolSpender(outpoint), ChainUnavailable);
    }
  });

  it("gives an unconfirmed transaction, and none when bitcoind has it no more", async () => {
    const id = txid(header.hash);
    const source = await open({
      getrawtransaction: (params) => {
        assert.deepEqual(params, [id]);
        return { result: "c0ffee" };
      },
    });
    assert.equal(toHex(must(await source.mempoolTx(id), "transaction")), "c0ffee");
    const gone = await open({ getrawtransaction: refuse(-5) });
    assert.equal(await gone.mempoolTx(id), undefined);
    for (const answer of [refuse(-32603), { result: "zz" }, { result: null }]) {
      const bad = await open({ getrawtransaction: answer });
      await assert.rejects(bad.mempoolTx(id), ChainUnavailable);
    }
  });

  it("tells an unknown block or height from an outage", async () => {
    const known = await open({ getblockheader: refuse(-5), getblockhash: refuse(-8) });
    assert.equal(await known.header(header.hash), undefined);
    assert.equal(await known.hashAtHeight(blockHeight(9)), undefined);
    const busy = await open({ getblockheader: refuse(-32603), getblockhash: refuse(-32603) });
    await assert.rejects(busy.header(header.hash), ChainUnavailable);
    await assert.rejects(busy.hashAtHeight(blockHeight(9)), ChainUnavailable);
  });

  it("falls back to RPC for blocks, and says which are pruned", async () => {
    const source = await open({ getblock: { result: toHex(raw) } });
    assert.equal(toHex(await source.block(header.hash)), toHex(raw));
    for (const result of ["abc", "zz", 5, null]) {
      const lying = await open({ getblock: { result } });
      await assert.rejects(lying.block(blockHash(header.hash)), ChainUnavailable);
    }
    const pruned = await open({ getblock: refuse(-1, "Block not available (pruned data)") });
    await assert.rejects(pruned.block(header.hash), BlockPruned);
    const busy = await open({ getblock: refuse(-1, "Block not found on disk") });
    await assert.rejects(busy.block(header.hash), { name: "ChainUnavailable" });
  });

  it("says what became of a broadcast", async () => {
    const accepted = await open({ sendrawtransaction: { result: "00" } });
    assert.deepEqual(await accepted.broadcast(raw), { kind: "accepted" });
    const cases: [number, string, string][] = [
      [-25, "bad-txns-inputs-missingorspent", "missingInputs"],
      [-26, "txn-mempool-conflict", "missingInputs"],
      [-26, "min relay fee not met, 0 < 141", "insufficientFee"],
      [-26, "insufficient fee, rejecting replacement ab; new feerate", "insufficientFee"],
      [-26, "non-BIP68-final", "nonFinal"],
      [-26, "dust", "policy"],
      [-22, "TX decode failed", "policy"],
    ];
    for (const [code, message, reason] of cases) {
      const source = await open({ sendrawtransaction: refuse(code, message) });
      assert.deepEqual(await source.broadcast(raw), { kind: "refused", reason, message });
    }
    const again = await open({
      sendrawtransaction: refuse(-27, "Transaction outputs already in utxo set"),
    });
    assert.deepEqual(await again.broadcast(raw), { kind: "alreadyKnown" });
  });

  it("submits a package, in parts where bitcoind does not take it for one", async () => {
    const taken = await open({
      submitpackage: { result: { package_msg: "success", "tx-results": {} } },
    });
    assert.deepEqual(await taken.broadcastPackage([parent, child]), { kind: "accepted" });
    const single = await open({ sendrawtransaction: { result: "00" } });
    assert.deepEqual(await single.broadcastPackage([raw]), { kind: "accepted" });
    const noPackage: readonly Answer[] = [
      refuse(-32601, "Method not found"),
      refuse(-25, "package topology disallowed. not child-with-parents"),
      { result: { package_msg: "package-not-child-with-unconfirmed-parents", "tx-results": {} } },
    ];
    const low = refuse(-26, "min relay fee not met, 0 < 110");
    const orphan = refuse(-25, "bad-txns-inputs-missingorspent");
    const known = refuse(-27, "Transaction outputs already in utxo set");
    for (const submitpackage of noPackage) {
      for (const [ofParent, ofChild, wanted] of [
        [{ result: "00" }, { result: "00" }, "accepted"],
        [known, { result: "00" }, "accepted"],
        [known, known, "alreadyKnown"],
        [low, orphan, "insufficientFee"],
        [low, low, "insufficientFee"],
        [known, orphan, "missingInputs"],
      ] as const) {
        const parts = await open({
          submitpackage,
          sendrawtransaction: (params) =>
            Array.isArray(params) && params[0] === toHex(parent) ? ofParent : ofChild,
        });
        const verdict = await parts.broadcastPackage([parent, child]);
        assert.equal(verdict.kind === "refused" ? verdict.reason : verdict.kind, wanted);
      }
    }
  });

  it("looks up confirmed outputs", async () => {
    const found = { value: 0.0000033, scriptPubKey: { hex: "51" } };
    const outpoint = { txid: txid("aa".repeat(32)), vout: 3 };
    const source = await open({
      gettxout: (params) => {
        assert.deepEqual(params, [outpoint.txid, 3, false]);
        return { result: found };
      },
    });
    const output = { valueSat: 330n, scriptPubkey: Uint8Array.of(0x51) };
    assert.deepEqual(await source.confirmedOutput(outpoint), output);
    const spent = await open({ gettxout: { result: null } });
    assert.equal(await spent.confirmedOutput(outpoint), undefined);
    for (const bad of [{ value: 1 }, { value: "1", scriptPubKey: { hex: "51" } }, 7]) {
      const broken = await open({ gettxout: { result: bad } });
      await assert.rejects(broken.confirmedOutput(outpoint), ChainUnavailable);
    }
  });

  it("reads mempool verdicts, also for what was not looked at", async () => {
    const result = [
      { allowed: true },
      { allowed: false, "reject-reason": "txn-already-in-mempool" },
      { allowed: false, "reject-reason": "non-final" },
      {},
    ];
    const source = await open({ testmempoolaccept: { result } });
    const kinds = (await source.testAccept([raw])).map((verdict) =>
      verdict.kind === "refused" ? verdict.reason : verdict.kind,
    );
    assert.deepEqual(kinds, ["accepted", "alreadyKnown", "nonFinal", "policy"]);
  });

  it("turns estimates into sat/kw, with a floor and a fallback", async () => {
    const estimate = (urgent: unknown, normal: unknown, floor: unknown): Answers => ({
      estimatesmartfee: (params) => ({
        result: { feerate: Array.isArray(params) && params[0] === 2 ? urgent : normal },
      }),
      getmempoolinfo: { result: { mempoolminfee: floor } },
    });
    const cases: [Answers, number, number][] = [
      [estimate(0.0002, 0.0001, 0.00001), 5_000, 2_500],
      [estimate(undefined, undefined, 0.00001), 5_000, FALLBACK_FEERATES.normal],
      [estimate(-1, null, "x"), 5_000, FALLBACK_FEERATES.normal],
      [estimate(0.00000001, 0.00000001, 0), MIN_FEERATE_PER_KW, MIN_FEERATE_PER_KW],
      [estimate(0.0002, 0.0001, 0.004), 100_000, 100_000],
      [estimate(0.0001, 0.0002, 0), 5_000, 5_000],
    ];
    for (const [answers, urgent, normal] of cases) {
      const source = await open(answers);
      assert.deepEqual(await source.feerates(), { urgent, normal });
    }
  });

  it("believes an estimate up to its limit and rounds up", () => {
    assert.equal(feerateOf(0.1), MAX_ESTIMATE_PER_KW);
    assert.equal(feerateOf(0.10000004), undefined);
    assert.equal(feerateOf(0.00001001), 251);
    for (const value of [0, -1, NaN, Infinity, "1", null])
      assert.equal(feerateOf(value), undefined);
  });

  it("treats an unknown refusal as policy and keeps its text", () => {
    const message = "something new in bitcoind 40";
    assert.deepEqual(classifyRejection(message), { kind: "refused", reason: "policy", message });
  });
});
