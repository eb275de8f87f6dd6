import assert from "node:assert/strict";
import { toHex } from "@farwatch/protocol/bytes";
import { BitcoindDestination, type DestinationText } from "./bitcoind-destination.js";
import { RpcRefusal } from "./bitcoind-rpc.js";
import { ChainUnavailable } from "./chain-source.js";
import { SweepDestinationInvalid } from "./sweep-destination.js";

const SCRIPT = "0014" + "5e".repeat(20);
const answers: Readonly<Record<string, (params: readonly unknown[]) => unknown>> = {
  validateaddress: ([address]) =>
    address === "bad" ? { isvalid: false } : { isvalid: true, scriptPubKey: SCRIPT },
  getdescriptorinfo: ([descriptor]) => ({
    descriptor: `${String(descriptor)}#checksum`,
    isrange: String(descriptor).includes("*"),
    hasprivatekeys: String(descriptor).includes("prv"),
  }),
  deriveaddresses: ([descriptor, range]) => [`address of ${String(descriptor)} ${String(range)}`],
};

function destination(text: DestinationText, fails?: Error) {
  const calls: string[] = [];
  const call = async (method: string, params: readonly unknown[] = []): Promise<unknown> => {
    calls.push(`${method} ${JSON.stringify(params)}`);
    if (fails !== undefined) throw fails;
    return answers[method]?.(params);
  };
  return { calls, to: new BitcoindDestination({ call }, text) };
}
const address = (text: string, fails?: Error) =>
  destination({ kind: "address", address: text }, fails);
const descriptor = (text: string) => destination({ kind: "descriptor", descriptor: text });

describe("sweep destination", () => {
  it("is an address, checked by bitcoind for its network", async () => {
    assert.equal(toHex(await address("bcrt1q").to.script(1)), SCRIPT);
    await assert.rejects(address("bad").to.script(1), SweepDestinationInvalid);
  });

  it("is a ranged descriptor: every sweep has its own address, from the first on", async () => {
    const { to, calls } = descriptor("wpkh(xpub/0/*)");
    await to.script(1);
    await to.script(7);
    const derived = calls.filter((call) => call.startsWith("deriveaddresses"));
    assert.deepEqual(derived, [
      'deriveaddresses ["wpkh(xpub/0/*)#checksum",[0,0]]',
      'deriveaddresses ["wpkh(xpub/0/*)#checksum",[6,6]]',
    ]);
    assert.equal(calls.at(-1), 'validateaddress ["address of wpkh(xpub/0/*)#checksum 6,6"]');
    await to.script(0x80000000);
    await assert.rejects(to.script(0x80000001), /no address left/);
  });

  it("is a descriptor of one address, or a raw script that bitcoind need not know", async () => {
    const { to, calls } = descriptor("wpkh(02aa)");
    assert.equal(toHex(await to.script(5)), SCRIPT);
    assert.equal(calls[1], 'deriveaddresses ["wpkh(02aa)#checksum"]');
    const raw = descriptor(`raw(${SCRIPT})#abcdefgh`);
    assert.equal(toHex(await raw.to.script(5)), SCRIPT);
    assert.deepEqual(raw.calls, []);
    await assert.rejects(descriptor("raw(001)").to.script(1), SweepDestinationInvalid);
  });

  it("never holds private keys, and is quoted in no error", async () => {
    for (const { to } of [descriptor("wpkh(tprv/*)"), address("secret", refusal())]) {
      await assert.rejects(to.script(1), (error) => {
        assert.ok(error instanceof SweepDestinationInvalid);
        return !/tprv|secret/.test(error.message);
      });
    }
  });

  it("is asked for again after an outage", async () => {
    const { to } = address("bcrt1q", new ChainUnavailable("down"));
    await assert.rejects(to.script(1), ChainUnavailable);
  });
});

const refusal = (): RpcRefusal => new RpcRefusal("validateaddress", -5, "secret is not valid");
