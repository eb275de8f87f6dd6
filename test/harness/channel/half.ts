/**
 * What one side knows in the commitment dance, and the messages it sends (BOLT 2, commitment_signed and
 * revoke_and_ack). Each side builds its own commitment from its own knowledge only.
 */
import type { CommitmentNumber, PerCommitmentSecret } from "@farwatch/protocol/ids";
import { must } from "@farwatch/protocol/assert";
import type { CommitmentSignatures, SignedCommitment } from "./commitment.js";
import type { Included } from "./ledger.js";
import { otherSide, type Side } from "./setup.js";

export interface CommitmentSigned extends CommitmentSignatures {
  readonly kind: "commitmentSigned";
  readonly from: Side;
  /** Of the receiver's commitment. */
  readonly number: CommitmentNumber;
  /** Changes the sender had proposed before: the order of messages on the wire. */
  readonly covers: number;
}

export interface RevokeAndAck {
  readonly kind: "revokeAndAck";
  readonly from: Side;
  /** Of the sender's commitment that it revokes. */
  readonly number: CommitmentNumber;
  readonly secret: PerCommitmentSecret;
  readonly nextPerCommitmentPoint: Uint8Array;
}

export type DanceMessage = CommitmentSigned | RevokeAndAck;

export interface Half {
  /** Own commitments by number, as signed by the peer; the newest may still be on its way. */
  readonly commitments: SignedCommitment[];
  /** Number of the newest own commitment that arrived. */
  received: number;
  /** Own commitments below this number are revoked: their secrets are on the wire. */
  revoked: number;
  /** The peer's commitments below this number are revoked, as far as we were told. */
  peerRevoked: number;
  /** Own changes that the peer has acknowledged by revoking. */
  ackedByPeer: number;
  /** Sent and not yet received, in order. */
  readonly sent: DanceMessage[];
}

export const newHalf = (first: SignedCommitment): Half => ({
  commitments: [first],
  received: 0,
  revoked: 0,
  peerRevoked: 0,
  ackedByPeer: 0,
  sent: [],
});

export const newest = (half: Half): SignedCommitment =>
  must(half.commitments.at(-1), "a commitment");

/** The newest own commitment whose predecessor is revoked. */
export const acknowledged = (half: Half): SignedCommitment =>
  must(half.commitments[half.revoked], "the commitment after the revoked ones");

/** What `signer` would include in the peer's next commitment. */
export const nextForPeer = (
  signer: Side,
  halves: Readonly<Record<Side, Half>>,
  proposed: Included,
): Included => {
  const peer = otherSide(signer);
  const acked = acknowledged(halves[signer]).state.included[peer];
  return signer === "holder"
    ? { holder: proposed.holder, counterparty: acked }
    : { holder: acked, counterparty: proposed.counterparty };
};

/** What the receiver of commitment_signed includes in its own commitment. */
export const nextForSelf = (receiver: Side, half: Half, covers: number): Included =>
  receiver === "holder"
    ? { holder: half.ackedByPeer, counterparty: covers }
    : { holder: covers, counterparty: half.ackedByPeer };
