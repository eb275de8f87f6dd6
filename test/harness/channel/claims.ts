/**
 * What the other side does with a confirmed commitment of `broadcaster`: claims by preimage and by
 * timeout (BOLT 5), and the sweeps of both sides' own outputs. Tests play the counterparty with these.
 */
import { feeratePerKw, sat, type FeeratePerKw, type Sat } from "@farwatch/protocol/amount";
import { must } from "@farwatch/protocol/assert";
import { txid, type Outpoint, type Preimage } from "@farwatch/protocol/ids";
import { htlcWitnessScript, toLocalScript } from "@farwatch/protocol/bolt/scripts";
import { feeForWeight } from "@farwatch/protocol/bolt/weights";
import {
  buildClaimTx,
  claimLocktime,
  claimWeight,
  inputSighash,
  inputWitness,
  type ClaimInput,
  type WitnessExtras,
} from "@farwatch/monitor-service/tx/claim";
import { Transaction } from "bitcoinjs-lib";
import { bytesOf } from "./broadcast.js";
import type { Channel } from "./channel.js";
import { findUntrimmed, type SignedCommitment } from "./commitment.js";
import type { HtlcRef } from "./ledger.js";
import type { PartyKey } from "./party.js";
import { demand } from "./refusal.js";
import { otherSide, type ChannelSetup, type Side } from "./setup.js";

/** Four times the relay minimum: enters a regtest mempool whatever the parent pays. */
const DEFAULT_FEERATE = feeratePerKw(1_012);

export interface ClaimOptions {
  /** Default: where the claiming side's node sweeps to. */
  readonly destinationScript?: Uint8Array;
  readonly feeratePerKw?: FeeratePerKw;
}

/** Of a channel, what claims are made from. */
type CommitmentSource = Pick<Channel, "commitment" | "setup">;

/** The other side takes an HTLC that `broadcaster` offered, with the preimage. */
export function claimWithPreimage(
  channel: CommitmentSource,
  broadcaster: Side,
  number: number,
  ref: HtlcRef,
  preimage: Preimage,
  options: ClaimOptions = {},
): Uint8Array {
  const commitment = channel.commitment(broadcaster, number);
  const { base, offered } = htlcInput(channel.setup, commitment, ref);
  demand(offered, "wrongDirection", "only offered HTLCs are claimed by preimage");
  const input: ClaimInput = { ...base, kind: "counterpartyOfferedPreimage" };
  return signClaim(channel.setup, otherSide(broadcaster), input, htlcKey(commitment), options, {
    preimage,
  });
}

/** The other side takes back an expired HTLC that it had offered; nLockTime is the expiry. */
export function claimAfterTimeout(
  channel: CommitmentSource,
  broadcaster: Side,
  number: number,
  ref: HtlcRef,
  options: ClaimOptions = {},
): Uint8Array {
  const commitment = channel.commitment(broadcaster, number);
  const { base, offered, cltvExpiry } = htlcInput(channel.setup, commitment, ref);
  demand(!offered, "wrongDirection", "only received HTLCs are taken back");
  const input: ClaimInput = { ...base, kind: "counterpartyReceivedTimeout", cltvExpiry };
  return signClaim(channel.setup, otherSide(broadcaster), input, htlcKey(commitment), options);
}

/** The other side sweeps its plain output; on anchor channels after one confirmation. */
export function sweepToRemote(
  channel: CommitmentSource,
  broadcaster: Side,
  number: number,
  options: ClaimOptions = {},
): Uint8Array {
  const { setup } = channel;
  const commitment = channel.commitment(broadcaster, number);
  const claimer = otherSide(broadcaster);
  const input: ClaimInput = {
    kind: "toRemote",
    ...outputOf(commitment, commitment.built.toRemoteIndex),
    channelType: setup.channelType,
    paymentPoint: setup.sides[claimer].party.pubkeys.paymentPoint,
  };
  return signClaim(setup, claimer, input, { kind: "payment" }, options);
}

/** The broadcaster sweeps its own delayed output after the delay. */
export function sweepToLocal(
  channel: CommitmentSource,
  broadcaster: Side,
  number: number,
  options: ClaimOptions = {},
): Uint8Array {
  const commitment = channel.commitment(broadcaster, number);
  const output = outputOf(commitment, commitment.built.toLocalIndex);
  return sweepDelayed(channel.setup, commitment, output, options);
}

/** The broadcaster sweeps output 0 of its own second-stage transaction after the delay. */
export function sweepSecondStage(
  channel: CommitmentSource,
  broadcaster: Side,
  number: number,
  secondStage: Uint8Array,
  options: ClaimOptions = {},
): Uint8Array {
  const tx = Transaction.fromBuffer(secondStage);
  const valueSat = sat(must(tx.outs[0], "output 0").value);
  const output = { outpoint: { txid: txid(tx.getId()), vout: 0 }, valueSat };
  return sweepDelayed(channel.setup, channel.commitment(broadcaster, number), output, options);
}

interface Output {
  readonly outpoint: Outpoint;
  readonly valueSat: Sat;
}

function sweepDelayed(
  setup: ChannelSetup,
  { side, keys }: SignedCommitment,
  output: Output,
  options: ClaimOptions,
): Uint8Array {
  const { contestDelay } = setup.sides[otherSide(side)];
  const input: ClaimInput = {
    kind: "delayedOutput",
    ...output,
    contestDelay,
    witnessScript: toLocalScript(
      keys.revocationPubkey,
      contestDelay,
      keys.broadcasterDelayedPubkey,
    ),
  };
  const key = { kind: "delayed", perCommitmentPoint: keys.perCommitmentPoint } as const;
  return signClaim(setup, side, input, key, options);
}

function outputOf({ built }: SignedCommitment, index: number | undefined): Output {
  demand(index !== undefined, "trimmed", "the commitment has no such output");
  const valueSat = sat(must(built.tx.outs[index], "output").value);
  return { outpoint: { txid: built.txid, vout: index }, valueSat };
}

function htlcInput(setup: ChannelSetup, commitment: SignedCommitment, ref: HtlcRef) {
  const { htlc, offered, outputIndex } = findUntrimmed(commitment, ref);
  const { channelType } = setup;
  const witnessScript = htlcWitnessScript(channelType, commitment.keys, { ...htlc, offered });
  const base = { ...outputOf(commitment, outputIndex), channelType, witnessScript };
  return { base, offered, cltvExpiry: htlc.cltvExpiry };
}

const htlcKey = ({ keys }: SignedCommitment): PartyKey => ({
  kind: "htlc",
  perCommitmentPoint: keys.perCommitmentPoint,
});

function signClaim(
  setup: ChannelSetup,
  claimer: Side,
  input: ClaimInput,
  key: PartyKey,
  options: ClaimOptions,
  extras: WitnessExtras = {},
): Uint8Array {
  const { party } = setup.sides[claimer];
  const destination = options.destinationScript ?? party.identity.destinationScript;
  const feerate = options.feeratePerKw ?? DEFAULT_FEERATE;
  const feeSat = feeForWeight(feerate, claimWeight([input], destination));
  const tx = buildClaimTx([input], destination, feeSat, claimLocktime([input]));
  const signature = party.sign(key, inputSighash(tx, 0, input));
  tx.setWitness(0, inputWitness(input, signature, extras));
  return bytesOf(tx);
}
