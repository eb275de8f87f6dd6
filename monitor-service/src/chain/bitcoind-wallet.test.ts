/** bitcoind's wallet calls: what is asked, what is read, and what is made of it. */
import assert from "node:assert/strict";
import { Transaction } from "bitcoinjs-lib";
import { feeratePerKw, sat } from "@farwatch/protocol/amount";
import { must } from "@farwatch/protocol/assert";
import { fromHex, toHex } from "@farwatch/protocol/bytes";
import { txid, txidToInternal } from "@farwatch/protocol/ids";
import { feeForWeight } from "@farwatch/protocol/bolt/weights";
import { NOTHING_SCRIPT, type FundingPlan } from "../tx/funding-plan.js";
import { RpcRefusal, type CallOptions } from "./bitcoind-rpc.js";
import { BitcoindWallet } from "./bitcoind-wallet.js";
import { ChainUnavailable } from "./chain-source.js";

const HTLC = { txid: txid("aa".repeat(32)), vout: 2 };
const COIN = { txid: txid("bb".repeat(32)), vout: 1 };
const OTHER = { txid: txid("cc".repeat(32)), vout: 7 };
const RATE = feeratePerKw(5_001);
const P2WSH = Uint8Array.from([0, 32, ...new Uint8Array(32).fill(5)]);
const CHANGE = Uint8Array.from([0, 20, ...new Uint8Array(20).fill(6)]);
const NO_COINS = { own: [], others: [] };

const plan: FundingPlan = {
  version: 2,
  locktime: 500,
  inputs: [
    { outpoint: HTLC, valueSat: sat(20_000), scriptPubkey: P2WSH, sequence: 1, inputWeight: 452 },
  ],
  outputs: [{ scriptPubkey: P2WSH, valueSat: sat(20_000) }],
  parent: undefined,
  feeratePerKw: RATE,
  maxFeeSat: sat(10_000),
  maxWeight: 400_000,
};

/** What bitcoind is asked to pay, and its answer with one coin and change. */
const payment = new Transaction();
payment.version = 2;
// 452 and 172 weight units of ours, 56 less for the output that stands for them, rounded up.
payment.addOutput(NOTHING_SCRIPT, feeForWeight(RATE, 624) - feeForWeight(RATE, 56) + 1n);
const paid = payment.clone();
paid.addInput(txidToInternal(COIN.txid), COIN.vout, 0xfffffffd);
paid.addOutput(CHANGE, 9_000n);
const final = new Transaction();
final.version = 2;
final.locktime = 500;
final.addInput(txidToInternal(HTLC.txid), HTLC.vout, 1);
final.addInput(txidToInternal(COIN.txid), COIN.vout, 0xfffffffd);
final.addOutput(P2WSH, 20_000n);
final.addOutput(CHANGE, 9_000n);
const signedTx = final.clone();
signedTx.setWitness(1, [Uint8Array.of(1)]);
const signed = Uint8Array.from(signedTx.toBuffer());

interface Asked {
  readonly method: string;
  readonly params: unknown;
  readonly wallet: string | undefined;
}
type Answer = () => unknown;

const coin = { value: 0.00012345, confirmations: 3, scriptPubKey: { hex: toHex(CHANGE) } };
const GOOD: Readonly<Record<string, Answer>> = {
  fundrawtransaction: () => ({ hex: paid.toHex(), fee: 0.00001, changepos: 1 }),
  gettxout: () => coin,
  signrawtransactionwithwallet: () => ({ hex: toHex(signed), complete: false, errors: [] }),
  listlockunspent: () => [{ ...COIN }],
  lockunspent: () => true,
  abandontransaction: () => null,
  getbalance: () => 1.5,
};
const refusing = (method: string, code: number, message: string): Answer => {
  return () => {
    throw new RpcRefusal(method, code, message);
  };
};

function walletWith(answers: Readonly<Record<string, Answer>> = {}) {
  const asked: Asked[] = [];
  const rpc = {
    call: async (method: string, params: unknown, options: CallOptions = {}): Promise<unknown> => {
      asked.push({ method, params, wallet: options.wallet });
      return must(answers[method] ?? GOOD[method], method)();
    },
  };
  return { wallet: new BitcoindWallet(rpc, "fees"), asked };
}

const options = {
  fee_rate: 20.004, // 5001 * 4 / 1000 sat per vbyte
  changePosition: 1,
  minconf: 1,
  replaceable: true,
};
const lookup: Asked = {
  method: "gettxout",
  params: [COIN.txid, COIN.vout, false],
  wallet: undefined,
};
const lock = (unlock: boolean, outpoint: typeof COIN): Asked => ({
  method: "lockunspent",
  params: [unlock, [outpoint]],
  wallet: "fees",
});

describe("bitcoind wallet", () => {
  it("lets bitcoind choose confirmed coins, and puts the transaction together itself", async () => {
    const { wallet, asked } = walletWith();
    const funded = await wallet.fund(plan, NO_COINS);
    assert.deepEqual(funded, {
      ok: true,
      value: { rawTx: signed, walletInputs: [{ outpoint: COIN, valueSat: 12_345n }] },
    });
    const spent = [{ txid: HTLC.txid, vout: 2, scriptPubKey: toHex(P2WSH), amount: "0.00020000" }];
    assert.deepEqual(asked, [
      { method: "fundrawtransaction", params: [payment.toHex(), options, false], wallet: "fees" },
      lookup,
      { method: "signrawtransactionwithwallet", params: [final.toHex(), spent], wallet: "fees" },
    ]);
  });

  it("pays for an unconfirmed parent, less what it and the anchor bring", async () => {
    const { wallet, asked } = walletWith();
    const parent = { weight: 1_124, feeSat: sat(300) };
    const inputs = [{ ...must(plan.inputs[0], "input"), valueSat: sat(330), inputWeight: 279 }];
    await wallet.fund({ ...plan, inputs, outputs: [], parent }, NO_COINS);
    assert.equal(asksFor(asked[0]).valueSat, feeForWeight(RATE, 1_124 + 279) + 1n - 630n);
    await wallet.fund({ ...plan, inputs, outputs: [] }, NO_COINS);
    const covered = { ...parent, feeSat: sat(1_000_000) };
    await wallet.fund({ ...plan, inputs, outputs: [], parent: covered }, NO_COINS);
    const last = asked.findLast(({ method }) => method === "fundrawtransaction");
    assert.equal(asksFor(last).valueSat, 0n);
  });

  it("without change something must stand in a child: an empty OP_RETURN", async () => {
    const changeless = payment.clone();
    changeless.addInput(txidToInternal(COIN.txid), COIN.vout, 0xfffffffd);
    const { wallet, asked } = walletWith({
      fundrawtransaction: () => ({ hex: changeless.toHex(), changepos: -1 }),
    });
    const parent = { weight: 1_124, feeSat: sat(300) };
    await wallet.fund({ ...plan, outputs: [], parent }, NO_COINS);
    const made = Transaction.fromHex(String(paramsOf(asked.at(-1))[0]));
    assert.deepEqual(
      made.outs.map(({ script, value }) => [toHex(script), value]),
      [["6a03000000", 0n]],
    );
    await wallet.fund(plan, NO_COINS);
    assert.equal(Transaction.fromHex(String(paramsOf(asked.at(-1))[0])).outs.length, 1);
  });

  it("spends its own coins again for a replacement, unless they are gone", async () => {
    for (const [answer, inputs] of [
      [coin, 1],
      [null, 0],
    ] as const) {
      let first = true;
      const { wallet, asked } = walletWith({
        gettxout: () => {
          const said = first ? answer : coin;
          first = false;
          return said;
        },
      });
      await wallet.fund(plan, { own: [COIN], others: [] });
      assert.deepEqual(asked[0], lookup);
      assert.equal(asksFor(asked[1]).inputs, inputs);
    }
  });

  it("locks coins of other claims before it chooses, those that are not locked", async () => {
    const { wallet, asked } = walletWith();
    await wallet.fund(plan, { own: [], others: [COIN, OTHER] });
    assert.deepEqual(
      asked.slice(0, 3).map(({ method }) => method),
      ["listlockunspent", "lockunspent", "fundrawtransaction"],
    );
    assert.deepEqual(asked[1], lock(false, OTHER));
    const spent = walletWith({ lockunspent: refusing("lockunspent", -8, "spent") });
    await spent.wallet.keep([OTHER]);
  });

  it("limits the weight of what is funded only for version 3, whose bitcoind knows how", async () => {
    const { wallet, asked } = walletWith();
    await wallet.fund({ ...plan, version: 3, maxWeight: 4_000 }, NO_COINS);
    const [, given] = paramsOf(asked[0]);
    assert.deepEqual(given, { ...options, max_tx_weight: 4_000 - 624 });
  });

  it("tells bitcoind's refusals and an unconfirmed coin", async () => {
    const sign = "signrawtransactionwithwallet";
    const fund = "fundrawtransaction";
    const cases: readonly [Readonly<Record<string, Answer>>, string][] = [
      [{ [fund]: refusing(fund, -4, "Insufficient funds") }, `${fund}: Insufficient funds`],
      [{ gettxout: () => null }, "a chosen coin is not confirmed"],
      [{ [sign]: refusing(sign, -13, "locked") }, `${sign}: locked`],
    ];
    for (const [answers, error] of cases) {
      const { wallet } = walletWith(answers);
      assert.deepEqual(await wallet.fund(plan, NO_COINS), { ok: false, error });
    }
  });

  it("takes a malformed answer for an outage", async () => {
    const bad: readonly [string, unknown][] = [
      ["gettxout", { ...coin, value: "1" }],
      ["gettxout", { ...coin, value: -1 }],
      ["signrawtransactionwithwallet", { hex: 7 }],
      ["fundrawtransaction", null],
      ["fundrawtransaction", {}],
      ["fundrawtransaction", { hex: "zz" }],
      ["fundrawtransaction", { hex: "00" }],
      ["listlockunspent", {}],
      ["listlockunspent", [{ txid: 5 }]],
    ];
    for (const [method, answer] of bad) {
      const { wallet } = walletWith({ [method]: () => answer });
      const use = { own: [], others: [OTHER] };
      await assert.rejects(wallet.fund(plan, use), ChainUnavailable, method);
    }
    await assert.rejects(walletWith({ getbalance: () => "1" }).wallet.confirmedSat());
  });

  it("releases: abandons the transaction and unlocks, whatever of it is left", async () => {
    const { wallet, asked } = walletWith({
      abandontransaction: refusing("abandontransaction", -5, "not eligible"),
      lockunspent: refusing("lockunspent", -8, "expected locked output"),
    });
    await wallet.release(txid(signedTx.getId()), [COIN, OTHER]);
    assert.deepEqual(asked, [
      { method: "abandontransaction", params: [signedTx.getId()], wallet: "fees" },
      lock(true, COIN),
      lock(true, OTHER),
    ]);
  });

  it("counts confirmed coins", async () => {
    const { wallet, asked } = walletWith();
    assert.equal(await wallet.confirmedSat(), 150_000_000n);
    assert.deepEqual(asked, [{ method: "getbalance", params: ["*", 1], wallet: "fees" }]);
  });
});

function paramsOf(asked: Asked | undefined): readonly unknown[] {
  assert.ok(Array.isArray(asked?.params));
  return asked.params;
}

/** The library cannot read a transaction without inputs. */
function asksFor(asked: Asked | undefined): { readonly inputs: number; readonly valueSat: bigint } {
  const raw = fromHex(String(paramsOf(asked)[0]));
  const value = raw.length - 4 - NOTHING_SCRIPT.length - 1 - 8;
  const view = new DataView(raw.buffer, raw.byteOffset);
  return { inputs: view.getUint8(4), valueSat: view.getBigUint64(value, true) };
}
