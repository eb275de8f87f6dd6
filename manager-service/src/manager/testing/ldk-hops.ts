/**
 * Hops of an LDK node: first states and updates come as LDK's bytes, and commitments give every HTLC an id of
 * their own, as the conversion from those bytes does. No rules of its own.
 */
import { hash32, htlcId, type ChannelId, type HtlcId } from "@farwatch/protocol/ids";
import type { CommitmentHtlc } from "@farwatch/protocol/channel";
import type { Refusal } from "@farwatch/protocol/reasons";
import type { Result } from "@farwatch/protocol/result";
import type { UpdateStep } from "@farwatch/protocol/update";
import type { Decision } from "../effect.js";
import type { ManagerInput } from "../input.js";
import { Hops } from "./hops.js";
import { byte } from "./scene.js";

const U64_MAX = 2n ** 64n - 1n;
/** Anything but the real one, and as large as 64 bits allow. */
export const madeUpId = (id: HtlcId | number): HtlcId => htlcId(U64_MAX - BigInt(id));

const withMadeUpId = (htlc: CommitmentHtlc): CommitmentHtlc => ({
  ...htlc,
  htlcId: madeUpId(htlc.htlcId),
});

function asConverted(step: UpdateStep): UpdateStep {
  if (step.kind !== "latestCounterpartyCommitment") return step;
  const htlcs = step.commitment.htlcs.map(withMadeUpId);
  return { ...step, commitment: { ...step.commitment, htlcs } };
}

export class LdkHops extends Hops {
  constructor(channels?: readonly ChannelId[]) {
    super("nodeResolves", channels);
  }

  override input(input: ManagerInput): Result<Decision, Refusal> {
    if (input.kind === "watchOffered") {
      return super.input({ ...input, ldkMonitorHash: hash32(byte(0x1d)) });
    }
    if (input.kind !== "updateOffered") return super.input(input);
    return super.input({
      ...input,
      payloadType: "ldkBytes",
      steps: input.steps.map(asConverted),
    });
  }
}
