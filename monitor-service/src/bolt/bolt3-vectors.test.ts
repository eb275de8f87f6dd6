/**
 * Loads the vectors of BOLT 3 appendices B to F for the tests of bolt/ and tx/. Everything a
 * counterparty would send (keys, signatures, transactions) comes from these files.
 */
import assert from "node:assert/strict";
import fs from "node:fs";
import { feeratePerKw, msat, sat } from "@farwatch/protocol/amount";
import { must } from "@farwatch/protocol/assert";
import { blockDelta, blockHeight } from "@farwatch/protocol/block";
import { fromHex } from "@farwatch/protocol/bytes";
import { commitmentNumber, hashOfPreimage, preimage, txid } from "@farwatch/protocol/ids";
import type { ChannelType } from "@farwatch/protocol/bolt/channel-type";
import type { CommitmentSpec } from "./commitment-tx.js";
import type { CommitmentKeys } from "@farwatch/protocol/bolt/keys";

interface Source {
  readonly commit: string;
  readonly section: string;
}

export interface AppendixB {
  readonly source: Source;
  readonly coinbaseTx: string;
  readonly coinbasePrivkey: string;
  readonly localFundingPubkey: string;
  readonly remoteFundingPubkey: string;
  readonly fundingWitnessScript: string;
  readonly inputTxid: string;
  readonly inputIndex: number;
  readonly fundingSat: number;
  readonly changeSat: number;
  readonly fundingOutputIndex: number;
  readonly fundingTx: string;
  readonly fundingTxid: string;
}

export interface CaseC {
  readonly name: string;
  readonly toLocalMsat: number;
  readonly toRemoteMsat: number;
  readonly feeratePerKw: number;
  readonly baseFeeSat?: number;
  readonly actualFeeSat?: number;
  readonly toLocal?: { readonly amountSat: number; readonly script: string };
  readonly toRemote?: { readonly amountSat: number; readonly pubkey: string };
  readonly htlcScripts: readonly {
    readonly htlc: number;
    readonly direction: "offered" | "received";
    readonly amountSat: number;
    readonly script: string;
  }[];
  readonly remoteSignature: string;
  readonly localSignature: string;
  readonly commitmentTx: string;
  readonly htlcTxs: readonly HtlcTxC[];
}

export interface HtlcTxC {
  readonly outputIndex: number;
  readonly kind: "timeout" | "success";
  readonly htlc: number;
  readonly remoteSignature: string;
  readonly localSignature: string;
  readonly tx: string;
}

export interface AppendixC {
  readonly source: Source;
  readonly parameters: {
    readonly fundingTxid: string;
    readonly fundingOutputIndex: number;
    readonly fundingSat: number;
    readonly commitmentNumber: number;
    readonly localDelay: number;
    readonly localDustLimitSat: number;
    readonly obscureFactor: string;
  };
  readonly keys: Readonly<Record<string, string>>;
  readonly fundingWitnessScript: string;
  readonly htlcs: readonly {
    readonly id: number;
    readonly direction: "local->remote" | "remote->local";
    readonly amountMsat: number;
    readonly expiry: number;
    readonly preimage: string;
  }[];
  readonly cases: readonly CaseC[];
}

export interface AppendixD {
  readonly source: Source;
  readonly generation: readonly {
    readonly name: string;
    readonly seed: string;
    readonly index: string;
    readonly output: string;
  }[];
  readonly storage: readonly {
    readonly name: string;
    readonly inserts: readonly {
      readonly index: string;
      readonly secret: string;
      readonly valid: boolean;
    }[];
  }[];
}

export interface AppendixE {
  readonly source: Source;
  readonly baseSecret: string;
  readonly perCommitmentSecret: string;
  readonly basePoint: string;
  readonly perCommitmentPoint: string;
  readonly localPubkey: string;
  readonly localPrivkey: string;
  readonly revocationPubkey: string;
  readonly revocationPrivkey: string;
}

export interface CaseF {
  readonly name: string;
  readonly localBalance: number;
  readonly remoteBalance: number;
  readonly dustLimitSatoshis: number;
  readonly feePerKw: number;
  readonly useTestHtlcs: boolean;
  readonly htlcDescs: readonly {
    readonly remoteSigHex: string;
    readonly resolutionTxHex: string;
  }[];
  readonly expectedCommitmentTxHex: string;
  readonly remoteSigHex: string;
}

export interface AppendixF {
  readonly source: Source;
  readonly cases: readonly CaseF[];
}

function load<T>(letter: string): T {
  const file = `../../../../test/vectors/bolt3/appendix-${letter}.json`;
  return JSON.parse(fs.readFileSync(new URL(file, import.meta.url), "utf8"));
}

export const appendixB = load<AppendixB>("b");
export const appendixC = load<AppendixC>("c");
export const appendixD = load<AppendixD>("d");
export const appendixE = load<AppendixE>("e");
export const appendixF = load<AppendixF>("f");

/** A key or secret of appendix C. */
export const keyC = (name: string): Uint8Array => fromHex(must(appendixC.keys[name], name));

/** Keys of the local commitment, as appendix C states them. */
export const keysC: CommitmentKeys = {
  perCommitmentPoint: keyC("localPerCommitmentPoint"),
  revocationPubkey: keyC("localRevocationPubkey"),
  broadcasterDelayedPubkey: keyC("localDelayedpubkey"),
  broadcasterHtlcPubkey: keyC("localHtlcpubkey"),
  countersignatoryHtlcPubkey: keyC("remoteHtlcpubkey"),
  countersignatoryPaymentPoint: keyC("remotePaymentBasepoint"),
};

export const preimageC = (id: number) =>
  preimage(fromHex(must(appendixC.htlcs[id], `htlc ${id}`).preimage));

export const htlcC = (id: number) => {
  const htlc = must(appendixC.htlcs[id], `htlc ${id}`);
  return {
    offered: htlc.direction === "local->remote",
    amountMsat: msat(htlc.amountMsat),
    cltvExpiry: blockHeight(htlc.expiry),
    paymentHash: hashOfPreimage(preimageC(id)),
  };
};

/** HTLC ids in play: the case names tell, as the appendix says in its introduction. */
export function htlcIdsOf(name: string): readonly number[] {
  if (name.startsWith("simple commitment")) return [];
  return name.includes("same amount and preimage") ? [1, 5, 6] : [0, 1, 2, 3, 4];
}

const identityOf = (channelType: ChannelType) => ({
  channelType,
  fundingOutpoint: {
    txid: txid(appendixC.parameters.fundingTxid),
    vout: appendixC.parameters.fundingOutputIndex,
  },
  fundingValueSat: sat(appendixC.parameters.fundingSat),
  commitmentNumber: commitmentNumber(appendixC.parameters.commitmentNumber),
  obscureFactor: BigInt(`0x${appendixC.parameters.obscureFactor}`),
  keys: keysC,
  broadcasterFundingPubkey: keyC("localFundingPubkey"),
  countersignatoryFundingPubkey: keyC("remoteFundingPubkey"),
  contestDelay: blockDelta(appendixC.parameters.localDelay),
  broadcasterIsOpener: true,
});

export const specOfC = (vector: CaseC): CommitmentSpec => ({
  ...identityOf("static_remote_key"),
  feeratePerKw: feeratePerKw(vector.feeratePerKw),
  toBroadcasterMsat: msat(vector.toLocalMsat),
  toCountersignatoryMsat: msat(vector.toRemoteMsat),
  dustLimitSat: sat(appendixC.parameters.localDustLimitSat),
  htlcs: htlcIdsOf(vector.name).map(htlcC),
});

export const specOfF = (vector: CaseF): CommitmentSpec => ({
  ...identityOf("anchors_zero_fee_htlc"),
  feeratePerKw: feeratePerKw(vector.feePerKw),
  toBroadcasterMsat: msat(vector.localBalance),
  toCountersignatoryMsat: msat(vector.remoteBalance),
  dustLimitSat: sat(vector.dustLimitSatoshis),
  htlcs: vector.useTestHtlcs ? htlcIdsOf(vector.name).map(htlcC) : [],
});

describe("BOLT 3 vectors", () => {
  it("come from one pinned commit of lightning/bolts", () => {
    const sources = [appendixB, appendixC, appendixD, appendixE, appendixF].map((v) => v.source);
    for (const source of sources) {
      assert.equal(source.commit, "a3772650d8ebc06acf457fcadf97968ebfc4dfff", source.section);
    }
  });
  it("are complete: every case of the appendices is there", () => {
    assert.equal(appendixC.cases.length, 16);
    assert.equal(appendixC.cases.flatMap((vector) => vector.htlcTxs).length, 33);
    assert.equal(appendixD.generation.length, 5);
    assert.equal(appendixD.storage.length, 9);
    assert.equal(appendixF.cases.length, 9);
    assert.equal(appendixF.cases.flatMap((vector) => vector.htlcDescs).length, 15);
  });
});
