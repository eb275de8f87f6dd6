/** bitcoind's wallet calls: what is asked, what is read, and that coins are given back on every failure. */
import assert from "node:assert/strict";
import { Transaction } from "bitcoinjs-lib";
import { feeratePerKw, sat } from "@farwatch/protocol/amount";
import { must } from "@farwatch/protocol/assert";
import { toHex } from "@farwatch/protocol/bytes";
import { txid, txidToInternal } from "@farwatch/protocol/ids";
import { RpcRefusal, type CallOptions } from "./bitcoind-rpc.js";
import { BitcoindWallet } from "./bitcoind-wallet.js";
import { ChainUnavailable } from "./chain-source.js";

const HTLC = { txid: txid("aa".repeat(32)), vout: 2 };
const COIN = { txid: txid("bb".repeat(32)), vout: 1 };
const RATE = feeratePerKw(5_001);

const draftTx = new Transaction();
draftTx.version = 2;
draftTx.addInput(txidToInternal(HTLC.txid), HTLC.vout, 1);
draftTx.addOutput(Uint8Array.of(0x51), 20_000n);
const draft = { draft: Uint8Array.from(draftTx.toBuffer()), outpoint: HTLC, inputWeight: 452 };

const fundedTx = draftTx.clone();
fundedTx.addInput(txidToInternal(COIN.txid), COIN.vout, 0xfffffffd);
fundedTx.addOutput(Uint8Array.of(0x51), 9_000n);
const signedTx = fundedTx.clone();
signedTx.setWitness(1, [Uint8Array.of(1)]);
const signed = Uint8Array.from(signedTx.toBuffer());

interface Asked {
  readonly method: string;
  readonly params: unknown;
  readonly wallet: string | undefined;
}
type Answer = () => unknown;

const GOOD: Readonly<Record<string, Answer>> = {
  fundrawtransaction: () => ({ hex: fundedTx.toHex(), fee: 0.00001, changepos: 1 }),
  gettxout: () => ({ value: 0.00012345, confirmations: 3 }),
  signrawtransactionwithwallet: () => ({ hex: toHex(signed), complete: false, errors: [] }),
  lockunspent: () => true,
  abandontransaction: () => null,
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

/** Each alone, because bitcoind refuses a list as a whole. */
const unlocks: readonly Asked[] = [HTLC, COIN].map((outpoint) => ({
  method: "lockunspent",
  params: [true, [outpoint]],
  wallet: "fees",
}));

describe("bitcoind wallet", () => {
  it("asks for confirmed coins, change behind output 0, the HTLC's weight and the feerate", async () => {
    const { wallet, asked } = walletWith();
    const funded = await wallet.fund(draft, RATE);
    assert.deepEqual(funded, {
      ok: true,
      value: { rawTx: signed, walletInputs: [{ outpoint: COIN, valueSat: 12_345n }] },
    });
    const options = {
      fee_rate: 20.004, // 5001 * 4 / 1000 sat per vbyte
      changePosition: 1,
      minconf: 1,
      lockUnspents: true,
      replaceable: true,
      input_weights: [{ ...HTLC, weight: 452 }],
    };
    assert.deepEqual(asked, [
      { method: "fundrawtransaction", params: [draftTx.toHex(), options, false], wallet: "fees" },
      { method: "gettxout", params: [COIN.txid, COIN.vout, false], wallet: undefined },
      { method: "signrawtransactionwithwallet", params: [fundedTx.toHex()], wallet: "fees" },
    ]);
  });

  it("tells bitcoind's refusal, with nothing to give back", async () => {
    const { wallet, asked } = walletWith({
      fundrawtransaction: refusing("fundrawtransaction", -4, "Insufficient funds"),
    });
    const funded = await wallet.fund(draft, RATE);
    assert.deepEqual(funded, { ok: false, error: "fundrawtransaction: Insufficient funds" });
    assert.equal(asked.length, 1);
  });

  it("gives the coins back when one is not confirmed or signing is refused", async () => {
    const sign = "signrawtransactionwithwallet";
    const cases: readonly [Readonly<Record<string, Answer>>, string][] = [
      [{ gettxout: () => null }, "a chosen coin is not confirmed"],
      [{ [sign]: refusing(sign, -13, "locked") }, `${sign}: locked`],
    ];
    for (const [answers, error] of cases) {
      const { wallet, asked } = walletWith(answers);
      assert.deepEqual(await wallet.fund(draft, RATE), { ok: false, error });
      assert.deepEqual(asked.slice(-2), unlocks);
    }
  });

  it("takes a malformed answer for an outage, and gives the coins back", async () => {
    const bad: readonly [string, unknown][] = [
      ["gettxout", { value: "1" }],
      ["gettxout", { value: -1 }],
      ["signrawtransactionwithwallet", { hex: 7 }],
    ];
    for (const [method, answer] of bad) {
      const { wallet, asked } = walletWith({ [method]: () => answer });
      await assert.rejects(wallet.fund(draft, RATE), ChainUnavailable, method);
      assert.deepEqual(asked.slice(-2), unlocks);
    }
    for (const answer of [null, {}, { hex: "zz" }, { hex: "00" }]) {
      const { wallet } = walletWith({ fundrawtransaction: () => answer });
      await assert.rejects(wallet.fund(draft, RATE), ChainUnavailable);
    }
  });

  it("releases: abandons the transaction and unlocks, whatever of it is left", async () => {
    const { wallet, asked } = walletWith({
      abandontransaction: refusing("abandontransaction", -5, "not eligible"),
      lockunspent: refusing("lockunspent", -8, "expected locked output"),
    });
    const walletInputs = [{ outpoint: COIN, valueSat: sat(1_000) }];
    await wallet.release({ rawTx: signed, walletInputs });
    assert.deepEqual(asked, [
      { method: "abandontransaction", params: [signedTx.getId()], wallet: "fees" },
      ...unlocks,
    ]);
  });
});
