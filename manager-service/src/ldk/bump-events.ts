/**
 * Bump requests as LDK's BumpTransactionEvents, for LDK's own BumpTransactionEventHandler with the node's own
 * wallet: it signs with the channel's keys, so what it needs beyond our request comes from the channel's own
 * LDK bytes (contract 2.19).
 */
import type { BumpTransaction, CommitmentToBump, HtlcsToClaim } from "@farwatch/protocol/bump";
import { fromHex } from "@farwatch/protocol/bytes";
import { txidToInternal, type Txid } from "@farwatch/protocol/ids";
import type { LdkHolderCommitment, LdkHtlc } from "@farwatch/protocol/ldk/commitment";
import type { HolderFacts } from "./channel-facts.js";
import { RemoteWatchError } from "./errors.js";
import type { Ldk, LdkModule } from "./ldk-module.js";
import { channelIdOf, outPointOf } from "./monitor-events.js";
import { parametersOf } from "./spendable.js";

/** Only anchor channels ask for fees, and their HTLC transactions pay none themselves: LDK writes 0. */
const HTLC_FEERATE = 0;

/** Throws RemoteWatchError replicaUnusable when the channel's bytes do not have what is asked for. */
export function bumpEvent(
  ldk: LdkModule,
  facts: HolderFacts,
  request: BumpTransaction,
): Ldk.BumpTransactionEvent {
  return request.of.kind === "commitment"
    ? channelClose(ldk, facts, request, request.of)
    : htlcResolution(ldk, facts, request, request.of);
}

function channelClose(
  ldk: LdkModule,
  facts: HolderFacts,
  { claimId, targetFeerate }: BumpTransaction,
  of: CommitmentToBump,
): Ldk.BumpTransactionEvent {
  const { commitment } = commitmentOf(facts, of.anchor.outpoint.txid);
  return ldk.BumpTransactionEvent.constructor_channel_close(
    channelIdOf(ldk, facts.channelId),
    facts.counterpartyNodeId,
    fromHex(claimId),
    targetFeerate,
    of.commitmentTx,
    of.commitmentFeeSat,
    ldk.AnchorDescriptor.constructor_new(
      derivation(ldk, facts),
      outPointOf(ldk, of.anchor.outpoint),
    ),
    commitment.htlcs.map((htlc) => htlcOutput(ldk, htlc)),
  );
}

function htlcResolution(
  ldk: LdkModule,
  facts: HolderFacts,
  { claimId, targetFeerate }: BumpTransaction,
  of: HtlcsToClaim,
): Ldk.BumpTransactionEvent {
  const holder = commitmentOf(facts, of.commitmentTxid);
  return ldk.BumpTransactionEvent.constructor_htlcresolution(
    channelIdOf(ldk, facts.channelId),
    facts.counterpartyNodeId,
    fromHex(claimId),
    targetFeerate,
    of.htlcs.map(({ outpoint }) => htlcDescriptor(ldk, facts, holder, outpoint.vout)),
    of.locktime,
  );
}

function htlcDescriptor(
  ldk: LdkModule,
  facts: HolderFacts,
  { commitment, counterpartyHtlcSignatures }: LdkHolderCommitment,
  vout: number,
): Ldk.HTLCDescriptor {
  const nth = commitment.htlcs.findIndex(({ outputIndex }) => outputIndex === vout);
  const htlc = commitment.htlcs[nth];
  const signature = counterpartyHtlcSignatures[nth];
  if (htlc === undefined || signature === undefined) throw unusable(facts, `no HTLC at ${vout}`);
  return ldk.HTLCDescriptor.constructor_new(
    derivation(ldk, facts),
    txidToInternal(commitment.built.txid),
    commitment.commitmentNumber,
    Uint8Array.from(commitment.keys.perCommitmentPoint),
    HTLC_FEERATE,
    htlcOutput(ldk, htlc),
    preimageOption(ldk, facts, htlc),
    Uint8Array.from(signature),
  );
}

/** Of an HTLC that we offered there is none to give: it is timed out. */
function preimageOption(ldk: LdkModule, facts: HolderFacts, htlc: LdkHtlc) {
  const Option = ldk.Option_ThirtyTwoBytesZ;
  if (htlc.offered) return Option.constructor_none();
  const preimage = facts.preimages.get(htlc.paymentHash);
  if (preimage === undefined) throw unusable(facts, `no preimage of ${htlc.paymentHash}`);
  return Option.constructor_some(Uint8Array.from(preimage));
}

const htlcOutput = (ldk: LdkModule, htlc: LdkHtlc): Ldk.HTLCOutputInCommitment =>
  ldk.HTLCOutputInCommitment.constructor_new(
    htlc.offered,
    htlc.amountMsat,
    htlc.cltvExpiry,
    fromHex(htlc.paymentHash),
    htlc.outputIndex === undefined
      ? ldk.Option_u32Z.constructor_none()
      : ldk.Option_u32Z.constructor_some(htlc.outputIndex),
  );

const derivation = (ldk: LdkModule, facts: HolderFacts): Ldk.ChannelDerivationParameters =>
  ldk.ChannelDerivationParameters.constructor_new(
    facts.valueSat,
    facts.keysId,
    parametersOf(ldk, facts),
  );

function commitmentOf(facts: HolderFacts, txid: Txid): LdkHolderCommitment {
  const found = facts.commitments.get(txid);
  if (found === undefined) throw unusable(facts, `commitment ${txid} is not one of its newest`);
  return found;
}

const unusable = ({ channelId }: HolderFacts, why: string): RemoteWatchError =>
  new RemoteWatchError("replicaUnusable", `bump of channel ${channelId}: ${why}`);
