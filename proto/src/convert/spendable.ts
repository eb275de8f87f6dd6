/** Spendable outputs and kinds of funding spends <-> wire. */
import { assertNever } from "../assert.js";
import type { FundingSpendKind, SpendableOutput, SpendableOutputKind } from "../event.js";
import * as wire from "../../gen/monitor/v1/event.js";
import { readOutpoint, writeOutpoint } from "./channel.js";
import { MAX_SCRIPT_BYTES } from "./limits.js";
import { atMost, fail, fixed, present, readDelta, readSat } from "./reader.js";

const SPEND_KINDS: Readonly<Record<FundingSpendKind, wire.FundingSpendKind>> = {
  mutual: wire.FundingSpendKind.MUTUAL,
  holder: wire.FundingSpendKind.HOLDER,
  counterparty: wire.FundingSpendKind.COUNTERPARTY,
  counterpartyPrevious: wire.FundingSpendKind.COUNTERPARTY_PREVIOUS,
  revoked: wire.FundingSpendKind.REVOKED,
  unknown: wire.FundingSpendKind.UNKNOWN,
};

export const writeSpend = (kind: FundingSpendKind): wire.FundingSpendKind => SPEND_KINDS[kind];

export function readSpend(kind: wire.FundingSpendKind): FundingSpendKind {
  switch (kind) {
    case wire.FundingSpendKind.MUTUAL:
      return "mutual";
    case wire.FundingSpendKind.HOLDER:
      return "holder";
    case wire.FundingSpendKind.COUNTERPARTY:
      return "counterparty";
    case wire.FundingSpendKind.COUNTERPARTY_PREVIOUS:
      return "counterpartyPrevious";
    case wire.FundingSpendKind.REVOKED:
      return "revoked";
    case wire.FundingSpendKind.UNKNOWN:
      return "unknown";
    case wire.FundingSpendKind.UNSPECIFIED:
    default:
      return fail("malformed", "kind", "not a kind of funding spend");
  }
}

export function readSpendable(message: wire.SpendableOutput): SpendableOutput {
  const field = "outputs";
  return {
    outpoint: readOutpoint(present(message.outpoint, `${field}.outpoint`), `${field}.outpoint`),
    valueSat: readSat(message.valueSat, `${field}.value_sat`),
    scriptPubkey: atMost(message.scriptPubkey, MAX_SCRIPT_BYTES, `${field}.script_pubkey`),
    output: readKind(present(message.kind, `${field}.kind`)),
  };
}

function readKind(kind: NonNullable<wire.SpendableOutput["kind"]>): SpendableOutputKind {
  switch (kind.$case) {
    case "staticOutput":
      return { kind: "static" };
    case "delayedPayment":
      return {
        kind: "delayedPayment",
        perCommitmentPoint: fixed(kind.value.perCommitmentPoint, 33, "per_commitment_point"),
        contestDelay: readDelta(kind.value.contestDelay, "contest_delay"),
        revocationPubkey: fixed(kind.value.revocationPubkey, 33, "revocation_pubkey"),
        channelKeysId: fixed(kind.value.channelKeysId, 32, "channel_keys_id"),
      };
    case "staticPayment":
      return {
        kind: "staticPayment",
        channelKeysId: fixed(kind.value.channelKeysId, 32, "channel_keys_id"),
        csvOne: kind.value.csvOne,
      };
    default:
      return assertNever(kind);
  }
}

export const writeSpendable = (output: SpendableOutput): wire.SpendableOutput => ({
  outpoint: writeOutpoint(output.outpoint),
  valueSat: output.valueSat,
  scriptPubkey: Buffer.from(output.scriptPubkey),
  kind: writeKind(output.output),
});

function writeKind(output: SpendableOutputKind): wire.SpendableOutput["kind"] {
  switch (output.kind) {
    case "static":
      return { $case: "staticOutput", value: {} };
    case "delayedPayment":
      return {
        $case: "delayedPayment",
        value: {
          perCommitmentPoint: Buffer.from(output.perCommitmentPoint),
          contestDelay: output.contestDelay,
          revocationPubkey: Buffer.from(output.revocationPubkey),
          channelKeysId: Buffer.from(output.channelKeysId),
        },
      };
    case "staticPayment":
      return {
        $case: "staticPayment",
        value: { channelKeysId: Buffer.from(output.channelKeysId), csvOne: output.csvOne },
      };
    default:
      return assertNever(output);
  }
}
