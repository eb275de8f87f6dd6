/** What the parsers refuse, with the reason and the path of the field; limits at their edges. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { msat } from "../amount.js";
import { blockHeight } from "../block.js";
import type { CommitmentHtlc, CounterpartyCommitment, HolderCommitment } from "../channel.js";
import { must } from "../assert.js";
import { htlcId, paymentHash, preimage, sourceKey } from "../ids.js";
import type { Reason } from "../reasons.js";
import { ChannelTypeModifier } from "../../gen/monitor/v1/channel.js";
import { ChannelMonitorUpdate } from "../../gen/monitor/v1/update.js";
import type { ChannelMonitorUpdateStep, RenegotiatedFunding } from "../../gen/monitor/v1/update.js";
import { EarlierState, InitialState } from "../../gen/monitor/v1/monitor_service.js";
import { encodeInitialState, parseInitialState } from "./channel.js";
import { writeHolder } from "./commitment.js";
import { parseErrorDetail } from "./error.js";
import { decodeEventPayload } from "./event.js";
import {
  MAX_HTLCS_PER_SIDE,
  MAX_LDK_MONITOR_BYTES,
  MAX_OUTCOMES,
  MAX_PREIMAGES,
  MAX_PENDING_FUNDINGS,
  MAX_REVOKED_SECRETS,
  MAX_STEPS_PER_UPDATE,
  MAX_TEXT_BYTES,
} from "./limits.js";
import {
  counterpartyCommitments,
  holderCommitments,
  initialStates,
  sources,
} from "./testing/arbitraries.js";
import { encodeUpdatePayload, parseUpdatePayload } from "./update.js";

const sample = <T>(values: fc.Arbitrary<T>): T => must(fc.sample(values, 1)[0], "a sample");
const source = sample(sources);
const holder: HolderCommitment = { ...sample(holderCommitments), htlcs: [] };
const counterparty: CounterpartyCommitment = { ...sample(counterpartyCommitments), htlcs: [] };

const htlc = (index: number, offered: boolean, outbound: boolean): CommitmentHtlc => ({
  htlcId: htlcId(index),
  offered,
  amountMsat: msat(1000),
  cltvExpiry: blockHeight(700_000),
  paymentHash: paymentHash("ab".repeat(32)),
  outputIndex: undefined,
  source: outbound
    ? { ...source, sourceKey: sourceKey(index.toString(16).padStart(64, "0")), opaque: bytes(0) }
    : undefined,
});
/** A value that no enum of the schema has. */
const UNLISTED: number = 77;
const bytes = (length: number): Buffer => Buffer.alloc(length, 7);

const withHolderHtlcs = (htlcs: readonly CommitmentHtlc[]): Uint8Array =>
  encodeUpdatePayload([
    {
      kind: "latestHolderCommitment",
      commitment: { ...holder, htlcs },
      pending: [],
      claimed: [],
      failed: [],
    },
  ]);
const withCounterpartyHtlcs = (htlcs: readonly CommitmentHtlc[]): Uint8Array =>
  encodeUpdatePayload([
    {
      kind: "latestCounterpartyCommitment",
      commitment: { ...counterparty, htlcs },
      pending: [],
    },
  ]);
const raw = (...steps: ChannelMonitorUpdateStep["step"][]): Uint8Array =>
  ChannelMonitorUpdate.encode({ steps: steps.map((step) => ({ step })) }).finish();

function refused(payload: Uint8Array, reason: Reason, field: string): void {
  const result = parseUpdatePayload(payload);
  assert.ok(!result.ok, "refused");
  assert.deepEqual([result.error.reason, result.error.details["field"]], [reason, field]);
}
const accepted = (payload: Uint8Array): void => assert.ok(parseUpdatePayload(payload).ok);
const range = (count: number): readonly number[] => Array.from({ length: count }, (_, i) => i);

describe("what the parser of updates refuses", () => {
  it("names the path of a field of wrong length", () => {
    const message = writeHolder({ ...holder, htlcs: [0, 1, 2].map((i) => htlc(i, true, true)) });
    const htlcs = message.htlcs.map((entry, index) =>
      index === 2 ? { ...entry, paymentHash: bytes(31) } : entry,
    );
    const commitments = [{ ...message, htlcs }];
    const value = { commitments, claimedHtlcs: [], failedHtlcs: [] };
    refused(
      raw({ $case: "latestHolderCommitment", value }),
      "wrongLength",
      "steps[0].commitments[0].htlcs[2].payment_hash",
    );
  });

  it("takes 483 HTLCs a side and not 484", () => {
    const side = (count: number, offered: boolean) =>
      range(count).map((i) => htlc(i, offered, offered));
    accepted(
      withHolderHtlcs([...side(MAX_HTLCS_PER_SIDE, true), ...side(MAX_HTLCS_PER_SIDE, false)]),
    );
    for (const offered of [true, false]) {
      refused(
        withHolderHtlcs(side(MAX_HTLCS_PER_SIDE + 1, offered)),
        "tooLarge",
        "steps[0].commitments[0].htlcs",
      );
    }
  });

  it("takes 16 steps and not 17, and not none", () => {
    const steps = range(MAX_STEPS_PER_UPDATE).map(() => ({
      kind: "paymentPreimage" as const,
      preimage: preimage(bytes(32)),
      paymentInfo: undefined,
    }));
    accepted(encodeUpdatePayload(steps));
    refused(encodeUpdatePayload([...steps, ...steps.slice(0, 1)]), "tooLarge", "steps");
    refused(encodeUpdatePayload([]), "malformed", "steps");
  });

  it("refuses a step it does not know, set or unset", () => {
    refused(raw(undefined), "unknownStep", "steps[0]");
    // steps[0] = { field 99: "" }
    refused(Uint8Array.of(0x0a, 3, 0x9a, 0x06, 0), "unknownStep", "steps[0]");
  });

  it("refuses unknown fields and encodings that are not canonical", () => {
    const valid = raw({ $case: "shutdownScript", value: { scriptPubkey: bytes(2) } });
    accepted(valid);
    refused(Uint8Array.of(...valid, 0x9a, 0x06, 0), "malformed", "payload");
    // The length of steps[0] as two varint bytes.
    const [tag, length, ...rest] = valid;
    const wide = Uint8Array.of(must(tag, "tag"), must(length, "length") | 0x80, 0, ...rest);
    refused(wide, "malformed", "payload");
    refused(Uint8Array.of(0xff, 0xff), "malformed", "payload");
  });

  it("wants a source on outbound HTLCs only, whoever broadcasts", () => {
    const at = "steps[0].commitments[0].htlcs[0].source";
    accepted(withHolderHtlcs([htlc(0, true, true), htlc(0, false, false)]));
    refused(withHolderHtlcs([htlc(0, true, false)]), "malformed", at);
    refused(withHolderHtlcs([htlc(0, false, true)]), "malformed", at);
    accepted(withCounterpartyHtlcs([htlc(0, false, true), htlc(0, true, false)]));
    refused(withCounterpartyHtlcs([htlc(0, false, false)]), "malformed", at);
    refused(withCounterpartyHtlcs([htlc(0, true, true)]), "malformed", at);
  });

  it("refuses an htlc_id, an output index or a source used twice", () => {
    const at = "steps[0].commitments[0].htlcs";
    const pair = [htlc(0, true, true), htlc(1, true, true)] as const;
    const outputs = pair.map((entry) => ({ ...entry, outputIndex: 3 }));
    refused(withHolderHtlcs([pair[0], { ...pair[1], htlcId: htlcId(0) }]), "malformed", at);
    refused(withHolderHtlcs(outputs), "malformed", at);
    refused(withHolderHtlcs([pair[0], { ...pair[1], source: pair[0].source }]), "malformed", at);
  });

  it("takes a reason of 1024 bytes of UTF-8 and not more", () => {
    const step = (reason: string) =>
      raw({ $case: "channelForceClosed", value: { shouldBroadcast: true, reason } });
    accepted(step("\u00e9".repeat(MAX_TEXT_BYTES / 2)));
    refused(step("\u00e9".repeat(MAX_TEXT_BYTES / 2) + "x"), "tooLarge", "steps[0].reason");
  });

  it("refuses numbers outside their range", () => {
    const secret = (commitmentNumber: bigint) =>
      raw({ $case: "commitmentSecret", value: { commitmentNumber, secret: bytes(32) } });
    accepted(secret(2n ** 48n - 1n));
    refused(secret(2n ** 48n), "rangeExceeded", "steps[0].commitment_number");
    const at = "steps[0].commitments[0].htlcs[0].amount_msat";
    refused(
      withHolderHtlcs([{ ...htlc(0, true, true), amountMsat: msat(0) }]),
      "rangeExceeded",
      at,
    );
  });
});

describe("what the parser of first states refuses", () => {
  const initial = sample(initialStates);
  const decoded = InitialState.decode(encodeInitialState(initial));
  const parameters = must(decoded.parameters, "parameters");
  const parse = (change: Partial<typeof parameters>) => {
    const message = { ...decoded, parameters: { ...parameters, ...change } };
    const result = parseInitialState(InitialState.encode(message).finish());
    assert.ok(!result.ok);
    return [result.error.reason, result.error.details["field"]];
  };

  it("takes pending fundings up to the limit, each whole", () => {
    const { holderCommitment, counterpartyCommitment } = decoded;
    const funding: RenegotiatedFunding = {
      parameters,
      holderCommitment,
      counterpartyCommitment,
    };
    const parsed = (...pendingFundings: readonly (typeof funding)[]) => {
      const message = { ...decoded, pendingFundings: [...pendingFundings] };
      const result = parseInitialState(InitialState.encode(message).finish());
      return result.ok ? "ok" : [result.error.reason, result.error.details["field"]];
    };
    const all = Array.from({ length: MAX_PENDING_FUNDINGS }, () => funding);
    assert.equal(parsed(...all), "ok");
    assert.deepEqual(parsed(...all, funding), ["tooLarge", "pending_fundings"]);
    assert.deepEqual(parsed(funding, { ...funding, parameters: undefined }), [
      "malformed",
      "pending_fundings[1].parameters",
    ]);
    assert.deepEqual(parsed({ ...funding, holderCommitment: undefined }), [
      "malformed",
      "pending_fundings[0].holder_commitment",
    ]);
  });

  it("takes LDK's monitor up to its limit", () => {
    const parsed = (length: number) => {
      const ldkMonitor = Buffer.alloc(length, 1);
      const result = parseInitialState(InitialState.encode({ ...decoded, ldkMonitor }).finish());
      return result.ok ? result.value.ldkMonitor?.length : result.error.details["field"];
    };
    assert.equal(parsed(MAX_LDK_MONITOR_BYTES), MAX_LDK_MONITOR_BYTES);
    assert.equal(parsed(MAX_LDK_MONITOR_BYTES + 1), "ldk_monitor");
  });

  it("takes an earlier state up to its limits", () => {
    const parsed = (earlier: Partial<EarlierState>): unknown => {
      const nothing = EarlierState.fromPartial({});
      const message = { ...decoded, earlier: { ...nothing, ...earlier } };
      const result = parseInitialState(InitialState.encode(message).finish());
      return result.ok ? "ok" : [result.error.reason, result.error.details["field"]];
    };
    const secret = Buffer.alloc(32, 7);
    const preimages = (count: number) => range(count).map(() => secret);
    assert.equal(parsed({ preimages: preimages(MAX_PREIMAGES) }), "ok");
    assert.deepEqual(parsed({ preimages: preimages(MAX_PREIMAGES + 1) }), [
      "tooLarge",
      "earlier.preimages",
    ]);
    assert.deepEqual(parsed({ preimages: [secret.subarray(1)] }), [
      "wrongLength",
      "earlier.preimages[0]",
    ]);
    const claimed = { sourceKey: secret, preimage: secret };
    const fulfilled = (count: number) => range(count).map(() => claimed);
    assert.equal(parsed({ fulfilled: fulfilled(MAX_OUTCOMES) }), "ok");
    assert.deepEqual(parsed({ fulfilled: fulfilled(MAX_OUTCOMES + 1) }), [
      "tooLarge",
      "earlier.fulfilled",
    ]);
    assert.deepEqual(parsed({ fulfilled: [{ ...claimed, skimmedFeeMsat: 1n }] }), [
      "malformed",
      "earlier.fulfilled[0]",
    ]);
    const reason = { kind: { $case: "onChainTimeout" as const, value: {} } };
    const failed = (count: number) => range(count).map(() => ({ sourceKey: secret, reason }));
    assert.equal(parsed({ failed: failed(MAX_OUTCOMES) }), "ok");
    assert.deepEqual(parsed({ failed: failed(MAX_OUTCOMES + 1) }), ["tooLarge", "earlier.failed"]);
  });

  it("takes as many revoked secrets as BOLT 3 stores, each of 32 bytes", () => {
    const parsed = (count: number, length: number) => {
      const one = { commitmentNumber: 0n, secret: Buffer.alloc(length, 7) };
      const revokedSecrets = Array.from({ length: count }, () => one);
      const result = parseInitialState(
        InitialState.encode({ ...decoded, revokedSecrets }).finish(),
      );
      return result.ok ? "ok" : [result.error.reason, result.error.details["field"]];
    };
    assert.equal(parsed(MAX_REVOKED_SECRETS, 32), "ok");
    assert.deepEqual(parsed(MAX_REVOKED_SECRETS + 1, 32), ["tooLarge", "revoked_secrets"]);
    assert.deepEqual(parsed(1, 31), ["wrongLength", "revoked_secrets[0].secret"]);
  });

  it("refuses channel types it cannot watch", () => {
    const at = "parameters.channel_type";
    assert.deepEqual(parse({ channelType: UNLISTED }), ["unsupportedChannelType", at]);
    assert.deepEqual(parse({ channelType: 0 }), ["malformed", at]);
  });

  it("refuses modifiers of a channel type that it does not know, and one named twice", () => {
    const at = "parameters.channel_type_modifiers";
    for (const unknown of [0, 3, UNLISTED]) {
      const modifiers = [ChannelTypeModifier.ZERO_CONF, unknown];
      assert.deepEqual(parse({ channelTypeModifiers: modifiers }), [
        "unsupportedChannelType",
        `${at}[1]`,
      ]);
    }
    const twice = [ChannelTypeModifier.SCID_PRIVACY, ChannelTypeModifier.SCID_PRIVACY];
    assert.deepEqual(parse({ channelTypeModifiers: twice }), ["malformed", at]);
  });

  it("refuses what is missing or of wrong size", () => {
    assert.deepEqual(parse({ funding: undefined }), ["malformed", "parameters.funding"]);
    assert.deepEqual(parse({ constantsProfile: UNLISTED }), [
      "malformed",
      "parameters.constants_profile",
    ]);
    const script = "parameters.destination_script";
    assert.deepEqual(parse({ destinationScript: bytes(0) }), ["wrongLength", script]);
    assert.deepEqual(parse({ destinationScript: bytes(43) }), ["tooLarge", script]);
    const vout = { txid: bytes(32), vout: 0x10000 };
    assert.deepEqual(parse({ funding: vout }), ["rangeExceeded", "parameters.funding.vout"]);
    const delay = "parameters.holder_selected_contest_delay";
    assert.deepEqual(parse({ holderSelectedContestDelay: 0x10000 }), ["rangeExceeded", delay]);
  });
});

describe("details of errors and events", () => {
  it("keeps the text of a reason it does not know", () => {
    const detail = Uint8Array.of(0x0a, 3, 0x6e, 0x65, 0x77); // reason = "new"
    const refusal = must(parseErrorDetail(detail), "a refusal");
    assert.equal(refusal.reason, "malformed");
    assert.match(refusal.message, /new/);
    assert.equal(parseErrorDetail(Uint8Array.of(0x0a, 9)), undefined);
  });

  it("refuses an event payload without event or origin", () => {
    const empty = decodeEventPayload(new Uint8Array());
    assert.ok(!empty.ok && empty.error.reason === "malformed");
  });
});
