/**
 * A small witness-v0 interpreter for the opcodes of BOLT 3, independent of bolt/ and tx/. It
 * decides whether a transaction may spend an output: witness program, script, signatures, CSV and
 * CLTV.
 */
import type { Transaction } from "bitcoinjs-lib";
import { crypto, opcodes, script } from "bitcoinjs-lib";
import { must } from "@farwatch/protocol/assert";
import { equalBytes } from "@farwatch/protocol/bytes";
import { nobleCurve } from "@farwatch/protocol/curve/noble-curve";

export interface Prevout {
  readonly script: Uint8Array;
  readonly value: bigint;
}

class ScriptFailure extends Error {}

const FALSE = new Uint8Array(0);
const TRUE = Uint8Array.of(1);
export const PAY_TO_ANCHOR = Uint8Array.of(0x51, 2, 0x4e, 0x73);

interface Spend {
  readonly tx: Transaction;
  readonly index: number;
  readonly code: Uint8Array;
  readonly value: bigint;
}

/** undefined when the input may spend the output, else the reason why not. */
export function spendFailure(tx: Transaction, index: number, prevout: Prevout): string | undefined {
  try {
    runSpend(tx, index, prevout);
    return undefined;
  } catch (error) {
    if (error instanceof ScriptFailure) return error.message;
    throw error;
  }
}

const demand = (condition: boolean, message: string): void => {
  if (!condition) throw new ScriptFailure(message);
};
const isTrue = (item: Uint8Array): boolean => item.some((byte) => byte !== 0);
const number = (item: Uint8Array): number => script.number.decode(item, 5, true);

function runSpend(tx: Transaction, index: number, prevout: Prevout): void {
  const witness = must(tx.ins[index], "input").witness;
  const program = prevout.script.subarray(2);
  const { value } = prevout;
  if (equalBytes(prevout.script, PAY_TO_ANCHOR)) {
    return demand(witness.length === 0, "P2A: anyone may spend it, with nothing");
  }
  if (program.length === 20) {
    demand(witness.length === 2, "P2WPKH: two items");
    const [signature = FALSE, key = FALSE] = witness;
    demand(equalBytes(crypto.hash160(key), program), "P2WPKH: other key");
    const code = script.fromASM(
      `OP_DUP OP_HASH160 ${Buffer.from(program).toString("hex")} OP_EQUALVERIFY OP_CHECKSIG`,
    );
    demand(checkSignature({ tx, index, code, value }, signature, key), "P2WPKH: signature");
    return;
  }
  const code = witness.at(-1) ?? FALSE;
  demand(equalBytes(crypto.sha256(code), program), "P2WSH: other script");
  const stack = witness.slice(0, -1).map((item) => Uint8Array.from(item));
  runScript({ tx, index, code, value }, stack);
  demand(stack.length === 1 && isTrue(must(stack[0], "result")), "script: not exactly true");
}

function checkSignature(spend: Spend, item: Uint8Array, key: Uint8Array): boolean {
  if (item.length === 0) return false;
  const { signature, hashType } = script.signature.decode(item);
  const digest = spend.tx.hashForWitnessV0(spend.index, spend.code, spend.value, hashType);
  const valid = nobleCurve.ecdsaVerify(signature, digest, key);
  demand(valid, "NULLFAIL: a signature that does not verify must be empty");
  return valid;
}

function runScript(spend: Spend, stack: Uint8Array[]): void {
  const branches: boolean[] = [];
  for (const chunk of must(script.decompile(spend.code), "script")) {
    const running = branches.every((branch) => branch);
    if (typeof chunk !== "number") {
      if (running) stack.push(Uint8Array.from(chunk));
    } else if (chunk === opcodes.OP_IF || chunk === opcodes.OP_NOTIF) {
      branches.push(running && isTrue(pop(stack)) === (chunk === opcodes.OP_IF));
    } else if (chunk === opcodes.OP_ELSE) {
      const branch = must(branches.pop(), "OP_IF");
      branches.push(branches.every((outer) => outer) && !branch);
    } else if (chunk === opcodes.OP_ENDIF) {
      must(branches.pop(), "OP_IF");
    } else if (running) {
      runOpcode(chunk, spend, stack);
    }
  }
}

function pop(stack: Uint8Array[]): Uint8Array {
  demand(stack.length > 0, "stack: empty");
  return must(stack.pop(), "item");
}

function runOpcode(opcode: number, spend: Spend, stack: Uint8Array[]): void {
  const bool = (value: boolean): Uint8Array => (value ? TRUE : FALSE);
  const top = (): Uint8Array => must(stack.at(-1), "top");
  if (opcode === 0) return void stack.push(FALSE);
  if (opcode >= 0x51 && opcode <= 0x60) return void stack.push(Uint8Array.of(opcode - 0x50));
  const steps: Readonly<Record<number, () => void>> = {
    [opcodes.OP_DUP]: () => stack.push(top()),
    [opcodes.OP_DROP]: () => pop(stack),
    [opcodes.OP_IFDUP]: () => (isTrue(top()) ? stack.push(top()) : undefined),
    [opcodes.OP_SIZE]: () => stack.push(script.number.encode(top().length)),
    [opcodes.OP_HASH160]: () => stack.push(crypto.hash160(pop(stack))),
    [opcodes.OP_EQUAL]: () => stack.push(bool(equalBytes(pop(stack), pop(stack)))),
    [opcodes.OP_EQUALVERIFY]: () => demand(equalBytes(pop(stack), pop(stack)), "OP_EQUALVERIFY"),
    [opcodes.OP_SWAP]: () => stack.push(pop(stack), pop(stack)),
    [opcodes.OP_CHECKSIG]: () => {
      const key = pop(stack);
      stack.push(bool(checkSignature(spend, pop(stack), key)));
    },
    [opcodes.OP_CHECKSIGVERIFY]: () => {
      const key = pop(stack);
      demand(checkSignature(spend, pop(stack), key), "OP_CHECKSIGVERIFY");
    },
    [opcodes.OP_CHECKMULTISIG]: () => {
      const keys = Array.from({ length: number(pop(stack)) }, () => pop(stack));
      const signatures = Array.from({ length: number(pop(stack)) }, () => pop(stack));
      demand(pop(stack).length === 0, "NULLDUMMY");
      demand(keys.length === signatures.length, "only n-of-n is known here");
      stack.push(bool(keys.every((key, i) => checkSignature(spend, signatures[i] ?? FALSE, key))));
    },
    [opcodes.OP_CHECKLOCKTIMEVERIFY]: () => {
      demand(spend.tx.locktime >= number(top()), "CLTV: too early");
      demand(must(spend.tx.ins[spend.index], "input").sequence !== 0xffffffff, "CLTV: final");
    },
    [opcodes.OP_CHECKSEQUENCEVERIFY]: () => {
      const { sequence } = must(spend.tx.ins[spend.index], "input");
      demand(sequence < 0x400000 && spend.tx.version >= 2, "CSV: not a block delay");
      demand((sequence & 0xffff) >= number(top()), "CSV: too early");
    },
  };
  must(steps[opcode], `opcode ${opcode}`)();
}
