/** BIP 174 as far as an answer of a wallet needs it: the transaction with what is final in it. */
import assert from "node:assert/strict";
import { Transaction } from "bitcoinjs-lib";
import { concatBytes, fromHex, toHex } from "@farwatch/protocol/bytes";
import { transactionOfPsbt } from "./psbt.js";

const tx = new Transaction();
tx.version = 2;
tx.addInput(new Uint8Array(32).fill(1), 0, 0xfffffffd);
tx.addInput(new Uint8Array(32).fill(2), 1, 0xfffffffd);
tx.addInput(new Uint8Array(32).fill(3), 2, 0xfffffffd);
tx.addOutput(Uint8Array.of(0x51), 1_000n);

const MAGIC = fromHex("70736274ff");
const pair = (key: Uint8Array, value: Uint8Array): Uint8Array =>
  concatBytes(Uint8Array.of(key.length), key, compact(value.length), value);
const compact = (size: number): Uint8Array =>
  size < 0xfd ? Uint8Array.of(size) : Uint8Array.of(0xfd, size & 0xff, size >> 8);
const END = Uint8Array.of(0);
const global = (unsigned = tx.toBuffer()) => concatBytes(pair(Uint8Array.of(0), unsigned), END);
/** Two items: 71 and 33 bytes. */
const witness = concatBytes(
  Uint8Array.of(2, 71),
  new Uint8Array(71).fill(7),
  Uint8Array.of(33),
  new Uint8Array(33).fill(8),
);
const inputs = [
  END,
  concatBytes(pair(Uint8Array.of(1), new Uint8Array(300)), pair(Uint8Array.of(8), witness), END),
  // A partial signature has a public key in its key; a redeem script is not final.
  concatBytes(
    pair(Uint8Array.of(2, 9, 9), new Uint8Array(71)),
    pair(Uint8Array.of(4), Uint8Array.of(0x51)),
    pair(Uint8Array.of(7), Uint8Array.of(0x51, 0x52)),
    END,
  ),
];
const psbt = concatBytes(MAGIC, global(), ...inputs, END);

describe("PSBT", () => {
  it("gives the transaction with the scripts and witnesses that are final", () => {
    const raw = transactionOfPsbt(psbt);
    assert.ok(raw !== undefined);
    const read = Transaction.fromBuffer(raw);
    assert.equal(read.getId() === tx.getId(), false, "a final scriptSig is part of the txid");
    assert.deepEqual(
      read.ins.map((input) => [toHex(input.script), input.witness.map(({ length }) => length)]),
      [
        ["", []],
        ["", [71, 33]],
        ["5152", []],
      ],
    );
    const segwit = concatBytes(MAGIC, global(), END, ...inputs.slice(1, 2), END, END);
    const unsigned = transactionOfPsbt(segwit);
    assert.ok(unsigned !== undefined);
    assert.equal(Transaction.fromBuffer(unsigned).getId(), tx.getId());
  });

  it("is undefined for anything else, however it is cut", () => {
    const withoutOutputs = psbt.length - END.length;
    for (let length = 0; length < withoutOutputs; length++) {
      assert.equal(transactionOfPsbt(psbt.subarray(0, length)), undefined, `${length} bytes`);
    }
    const twice = concatBytes(MAGIC, pair(Uint8Array.of(0), tx.toBuffer()), global(), ...inputs);
    const bad = [
      concatBytes(Uint8Array.of(0x71), psbt.subarray(1)),
      concatBytes(MAGIC, END, ...inputs),
      concatBytes(MAGIC, global(Buffer.of(1, 2, 3)), ...inputs),
      twice,
      concatBytes(MAGIC, Uint8Array.of(0xff), new Uint8Array(8).fill(0xff)),
    ];
    for (const bytes of bad) assert.equal(transactionOfPsbt(bytes), undefined);
  });
});
