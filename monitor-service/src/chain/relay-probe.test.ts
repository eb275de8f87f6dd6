/** The package policy question against scripted answers; test/e2e asks real ones. */
import assert from "node:assert/strict";
import { Transaction } from "bitcoinjs-lib";
import { must } from "@farwatch/protocol/assert";
import { isRecord, RpcRefusal } from "./bitcoind-rpc.js";
import type { BlockHeader } from "./chain-source.js";
import { probePackageRelay } from "./relay-probe.js";
import { mineBlock } from "./testing/fake-chain.js";

const WITNESS = "mempool-script-verify-flag-failed (Witness program hash mismatch), input 0 of ...";
const COIN_SAT = 200_000n;
const P2WPKH = Uint8Array.of(0, 20, ...new Uint8Array(20).fill(5));

function payment(outputs: readonly (readonly [Uint8Array, bigint])[]): Uint8Array {
  const tx = new Transaction();
  tx.version = 2;
  tx.addInput(new Uint8Array(32).fill(3), 0);
  for (const [script, value] of outputs) tx.addOutput(script, value);
  return Uint8Array.from(tx.toBuffer());
}

/** Two blocks, the upper one with these transactions; answers of submitpackage are the test's. */
function bitcoind(
  transactions: readonly Uint8Array[],
  submit: (parent: Transaction, child: Transaction) => string | undefined | Error,
  spent: (txid: string, vout: number) => boolean = () => false,
) {
  const genesis = mineBlock(undefined);
  const upper = mineBlock(genesis.header, { transactions });
  const blocks = new Map([genesis, upper].map((block) => [block.header.hash, block]));
  const packages: Transaction[][] = [];
  const asked: string[] = [];
  const deps = {
    source: {
      tip: () => Promise.resolve(upper.header),
      header: (hash: BlockHeader["hash"]) => Promise.resolve(blocks.get(hash)?.header),
      block: (hash: BlockHeader["hash"]) => Promise.resolve(must(blocks.get(hash), "block").raw),
    },
    rpc: {
      call: (method: string, params: unknown) => {
        assert.ok(Array.isArray(params));
        if (method === "gettxout") {
          asked.push(`${params[0]}:${params[1]}`);
          return Promise.resolve(spent(String(params[0]), Number(params[1])) ? null : {});
        }
        assert.equal(method, "submitpackage");
        const raws: unknown = params[0];
        assert.ok(Array.isArray(raws));
        const txs = raws.map((hex) => Transaction.fromHex(String(hex)));
        packages.push(txs);
        const parent = must(txs[0], "parent");
        const error = submit(parent, must(txs[1], "child"));
        if (error instanceof Error) return Promise.reject(error);
        return Promise.resolve({
          package_msg: "transaction failed",
          "tx-results": { any: { txid: parent.getId(), error } },
        });
      },
    },
  };
  return { deps, packages, asked };
}

const oneCoin = [payment([[P2WPKH, COIN_SAT]])];

describe("package relay probe", () => {
  it("says relayed when only the witness is wrong, with a dust anchor and a full one", async () => {
    const { deps, packages } = bitcoind(oneCoin, () => WITNESS);
    assert.equal((await probePackageRelay(deps)).relay, "relayed");
    assert.deepEqual(
      packages.map(([parent]) => parent?.outs[0]?.value),
      [0n, 240n],
    );
    for (const [parent, child] of packages) {
      assert.ok(parent !== undefined && child !== undefined);
      assert.deepEqual([parent.version, child.version], [3, 3]);
      assert.equal(
        parent.outs.reduce((sum, { value }) => sum + value, 0n),
        COIN_SAT,
        "the parent pays nothing",
      );
      assert.ok(parent.ins.every(({ witness, script }) => witness.length + script.length === 0));
      assert.ok(child.ins.every(({ hash }) => Buffer.from(hash).equals(parent.getHash())));
      assert.ok(must(child.outs[0], "output").value < COIN_SAT, "the child pays");
    }
  });

  for (const message of ["dust, tx with dust output must be 0-fee", "version", "bad-witness"]) {
    it(`says refused with bitcoind's words: ${message}`, async () => {
      const { deps } = bitcoind(oneCoin, () => message);
      assert.deepEqual(await probePackageRelay(deps), { relay: "refused", message });
    });
  }

  it("says refused when only one of the two anchors passes", async () => {
    const fee = "min relay fee not met, 0 < 107";
    const { deps } = bitcoind(oneCoin, ({ outs }) => (outs[0]?.value === 0n ? WITNESS : fee));
    assert.deepEqual(await probePackageRelay(deps), { relay: "refused", message: fee });
  });

  it("says refused to a bitcoind without submitpackage, unknown to any other refusal", async () => {
    const refusing = (code: number) =>
      bitcoind(oneCoin, () => new RpcRefusal("submitpackage", code, "no")).deps;
    assert.equal((await probePackageRelay(refusing(-32601))).relay, "refused");
    assert.equal((await probePackageRelay(refusing(-8))).relay, "unknown");
  });

  it("says unknown when the coin was spent meanwhile or the answer names no error", async () => {
    const gone = bitcoind(oneCoin, () => "bad-txns-inputs-missingorspent").deps;
    assert.equal((await probePackageRelay(gone)).relay, "unknown");
    const mute = bitcoind(oneCoin, () => undefined).deps;
    assert.equal((await probePackageRelay(mute)).relay, "unknown");
  });

  it("never asks with a coin that might be spendable, immature or spent, nor with a small one", async () => {
    const anchor = Uint8Array.of(0x51, 2, 0x4e, 0x73);
    const trivial = Uint8Array.of(0x51);
    const none = [payment([[anchor, COIN_SAT]]), payment([[trivial, COIN_SAT]])];
    const { deps, asked } = bitcoind(none, () => WITNESS);
    assert.equal((await probePackageRelay(deps)).relay, "unknown");
    assert.deepEqual(asked, [], "coinbases are not asked for either");

    const mixed = payment([
      [P2WPKH, 99_999n],
      [P2WPKH, 100_000n],
      [P2WPKH, 300_000n],
    ]);
    const some = bitcoind(
      [mixed],
      () => WITNESS,
      (_, vout) => vout === 1,
    );
    assert.equal((await probePackageRelay(some.deps)).relay, "relayed");
    assert.deepEqual(
      some.asked.map((key) => key.slice(-2)),
      [":1", ":2"],
    );
    assert.ok(isRecord(some.packages[0]?.[0]?.ins[0]) && some.packages[0][0].ins[0]?.index === 2);
  });

  it("gives up after 32 spent coins", async () => {
    const many = payment(Array.from({ length: 40 }, () => [P2WPKH, COIN_SAT] as const));
    const { deps, asked } = bitcoind(
      [many],
      () => WITNESS,
      () => true,
    );
    assert.equal((await probePackageRelay(deps)).relay, "unknown");
    assert.equal(asked.length, 32);
  });
});
