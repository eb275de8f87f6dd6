/**
 * The question that tells an operator whether their bitcoind can close zero_fee_commitments channels,
 * put to a real one: with Core's policy, and with Knots' own where this bitcoind has one. No coin moves.
 */
import assert from "node:assert/strict";
import { BitcoindRpc } from "@farwatch/monitor-service/chain/bitcoind-rpc";
import { BitcoindSource } from "@farwatch/monitor-service/chain/bitcoind-source";
import { probePackageRelay } from "@farwatch/monitor-service/chain/relay-probe";
import { startRegtest, type Regtest } from "../harness/bitcoind/node.js";

const SCRIPT = Uint8Array.of(0, 20, ...new Uint8Array(20).fill(5));

async function ask(node: Regtest) {
  const { user, password, rpcUrl: url } = node;
  const rpc = new BitcoindRpc({ url, auth: { kind: "password", user, password } });
  const source = await BitcoindSource.open({ rpc, chain: "regtest" });
  const verdict = await probePackageRelay({ rpc, source });
  await source.close();
  return verdict;
}

describe("bitcoind's package policy", () => {
  let node: Regtest | undefined;
  afterEach(() => node?.stop());

  it("Core's: unknown without a coin, relayed with one, and the mempool stays empty", async () => {
    node = await startRegtest();
    await node.mine(2);
    assert.equal((await ask(node)).relay, "unknown");
    await node.fund(SCRIPT, 200_000n);
    await node.mine(1);
    const verdict = await ask(node);
    assert.equal(verdict.relay, "relayed", verdict.message);
    assert.deepEqual(await node.mempool(), []);
  });

  it("one that does not know package fees: refused, in its own words", async () => {
    // Knots can be told to; Core has no such policy and refuses the flag.
    node = await startRegtest({ extraArgs: ["-corepolicy=0"] }).catch((error: unknown) => {
      assert.match(String(error), /corepolicy/);
      return undefined;
    });
    if (node === undefined) return;
    await node.fund(SCRIPT, 200_000n);
    await node.mine(1);
    const verdict = await ask(node);
    assert.equal(verdict.relay, "refused");
    assert.match(verdict.message, /dust|fee/);
    assert.deepEqual(await node.mempool(), []);
  });
});
