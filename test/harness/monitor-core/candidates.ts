/**
 * Every transaction somebody could confirm next: commitments the counterparty holds (revoked ones
 * included), its second stages and claims with any preimage, our current commitment, what we publish.
 */
import type { PaymentHash } from "@farwatch/protocol/ids";
import { must } from "@farwatch/protocol/assert";
import { htlcSuccessTx, htlcTimeoutTx } from "../channel/broadcast.js";
import { claimAfterTimeout, claimWithPreimage } from "../channel/claims.js";
import { untrimmed, type SignedCommitment } from "../channel/commitment.js";
import { NOWHERE, type Secret } from "../channel/test-channel.js";
import type { ProtectedChannel } from "./protected-channel.js";

export type Secrets = ReadonlyMap<PaymentHash, Secret>;

/** The confirmed commitment, if the funding is spent by one. */
export function confirmedCommitment(p: ProtectedChannel): SignedCommitment | undefined {
  const spender = p.chain.spenderOf(NOWHERE);
  if (spender === undefined) return undefined;
  const { channel } = p;
  return (["holder", "counterparty"] as const)
    .flatMap((side) =>
      Array.from({ length: channel.commitment(side).number + 1 }, (_, at) =>
        channel.commitment(side, at),
      ),
    )
    .find(({ built }) => built.txid === spender);
}

/** Those the next block may hold, each by itself. */
export function candidates(p: ProtectedChannel, secrets: Secrets): readonly Uint8Array[] {
  const confirmed = confirmedCommitment(p);
  const theirs = confirmed === undefined ? closings(p) : resolutions(p, confirmed, secrets);
  return [...theirs, ...p.published().map(({ raw }) => raw)].filter(
    (raw) => p.chain.hindrance(raw) === undefined,
  );
}

function closings(p: ProtectedChannel): readonly Uint8Array[] {
  const { channel } = p;
  const held = Array.from({ length: channel.received("counterparty") + 1 }, (_, at) =>
    p.commitmentOf("counterparty", at),
  );
  return [p.commitmentOf("holder", channel.received("holder")), ...held];
}

/** What the counterparty can do with the HTLC outputs of a confirmed commitment. */
function resolutions(
  { channel }: ProtectedChannel,
  commitment: SignedCommitment,
  secrets: Secrets,
): readonly Uint8Array[] {
  const { side } = commitment;
  const at = commitment.number;
  return untrimmed(commitment).map(({ htlc, offered }) => {
    const { preimage } = must(secrets.get(htlc.paymentHash), "secret");
    if (side === "counterparty") {
      return offered
        ? htlcTimeoutTx(channel, side, at, htlc)
        : htlcSuccessTx(channel, side, at, htlc, preimage);
    }
    return offered
      ? claimWithPreimage(channel, side, at, htlc, preimage)
      : claimAfterTimeout(channel, side, at, htlc);
  });
}

/** Picks some of the candidates that fit into one block together. */
export function pickBlock(
  p: ProtectedChannel,
  secrets: Secrets,
  picks: readonly number[],
): readonly Uint8Array[] {
  const chosen: Uint8Array[] = [];
  const spent = new Set<string>();
  const all = candidates(p, secrets);
  for (const pick of picks) {
    const raw = all[pick % Math.max(all.length, 1)];
    if (raw === undefined || chosen.includes(raw)) continue;
    const inputs = p.chain.inputsOf(raw).map(({ txid, vout }) => `${txid}:${vout}`);
    if (inputs.some((key) => spent.has(key))) continue;
    for (const key of inputs) spent.add(key);
    chosen.push(raw);
  }
  return chosen;
}
