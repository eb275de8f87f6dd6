/**
 * An address or an output descriptor as bitcoind understands it: bitcoind checks it against its network
 * and derives the scripts, so that no parser of ours decides where money goes.
 */
import { fromHex } from "@farwatch/protocol/bytes";
import { fieldsOf, listOf, textOf } from "./answers.js";
import { RpcRefusal, type BitcoindRpc } from "./bitcoind-rpc.js";
import { SweepDestinationInvalid, type SweepDestination } from "./sweep-destination.js";

export type DestinationText =
  | { readonly kind: "address"; readonly address: string }
  | { readonly kind: "descriptor"; readonly descriptor: string };

/** BIP 32: the last child that is not hardened. */
const MAX_INDEX = 0x7fffffff;

export class BitcoindDestination implements SweepDestination {
  readonly #rpc: Pick<BitcoindRpc, "call">;
  readonly #text: DestinationText;

  constructor(rpc: Pick<BitcoindRpc, "call">, text: DestinationText) {
    this.#rpc = rpc;
    this.#text = text;
  }

  async script(sweepId: number): Promise<Uint8Array> {
    try {
      return this.#text.kind === "address"
        ? await this.#scriptOf(this.#text.address)
        : await this.#derived(this.#text.descriptor, sweepId - 1);
    } catch (error) {
      if (!(error instanceof RpcRefusal)) throw error;
      throw new SweepDestinationInvalid("bitcoind does not understand it"); // its words may quote it
    }
  }

  async #derived(descriptor: string, index: number): Promise<Uint8Array> {
    const raw = /^raw\(([0-9a-f]+)\)(?:#[0-9a-z]{8})?$/.exec(descriptor)?.[1];
    if (raw !== undefined) return rawScript(raw);
    const info = fieldsOf(await this.#rpc.call("getdescriptorinfo", [descriptor]), "descriptor");
    if (info["hasprivatekeys"] === true) {
      throw new SweepDestinationInvalid("holds private keys, which are not to be here");
    }
    if (index > MAX_INDEX) throw new SweepDestinationInvalid("has no address left");
    const range = info["isrange"] === true ? [[index, index]] : [];
    const withChecksum = textOf(info["descriptor"], "descriptor");
    const derived = await this.#rpc.call("deriveaddresses", [withChecksum, ...range]);
    const [address] = listOf(derived, "deriveaddresses");
    return this.#scriptOf(textOf(address, "deriveaddresses"));
  }

  async #scriptOf(address: string): Promise<Uint8Array> {
    const answer = fieldsOf(await this.#rpc.call("validateaddress", [address]), "validateaddress");
    if (answer["isvalid"] !== true) {
      throw new SweepDestinationInvalid("is no address of this network");
    }
    return fromHex(textOf(answer["scriptPubKey"], "scriptPubKey"));
  }
}

function rawScript(hex: string): Uint8Array {
  if (hex.length % 2 !== 0) throw new SweepDestinationInvalid("is not whole bytes");
  return fromHex(hex);
}
