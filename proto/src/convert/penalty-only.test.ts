/** First states of penalty-only channels, and the edge of their transactions. */
import assert from "node:assert/strict";
import { channelId, commitmentNumber, txid, type ChannelId } from "../ids.js";
import { InitialState } from "../../gen/monitor/v1/monitor_service.js";
import { parseInitialState } from "./channel.js";
import { MAX_PENALTY_BYTES } from "./limits.js";
import { encodePenaltyOnly, parseFirstState, penaltyOnlyFunding } from "./penalty-only.js";
import { encodeUpdatePayload, parseUpdatePayload } from "./update.js";

const ID: ChannelId = channelId("0102".repeat(16));
const CHANNEL = {
  channelId: ID,
  chainHash: "ab".repeat(32),
  counterpartyNodeId: new Uint8Array(33).fill(2),
};
const reasonOf = (result: ReturnType<typeof parseFirstState>): string =>
  result.ok ? "taken" : `${result.error.reason} ${result.error.details["field"]}`;

describe("the first state of a penalty-only channel", () => {
  it("comes back, with and without a node id", () => {
    for (const channel of [CHANNEL, { ...CHANNEL, counterpartyNodeId: undefined }]) {
      const parsed = parseFirstState(encodePenaltyOnly(channel));
      assert.deepEqual(parsed.ok && parsed.value, { kind: "penaltyOnly", channel });
    }
  });

  it("is nothing else besides, and no channel with keys", () => {
    const bytes = encodePenaltyOnly(CHANNEL);
    const both = InitialState.encode({
      ...InitialState.decode(bytes),
      manualBroadcast: true,
    }).finish();
    assert.equal(reasonOf(parseFirstState(both)), "malformed penalty_only");
    const taken = parseInitialState(bytes);
    assert.equal(!taken.ok && taken.error.reason, "wrongChannelKind");
  });

  it("has lengths", () => {
    const { penaltyOnly, ...rest } = InitialState.decode(encodePenaltyOnly(CHANNEL));
    assert.ok(penaltyOnly !== undefined);
    const short = { ...penaltyOnly, channelId: Buffer.alloc(31) };
    const bytes = InitialState.encode({ ...rest, penaltyOnly: short }).finish();
    assert.equal(reasonOf(parseFirstState(bytes)), "wrongLength penalty_only.channel_id");
    assert.equal(reasonOf(parseFirstState(Uint8Array.of(255))), "malformed payload");
  });

  it("is named by its id and an output that no transaction has", () => {
    const { vout, txid: of } = penaltyOnlyFunding(ID);
    assert.equal(vout, 65_535);
    assert.equal(of, "0201".repeat(16), "the same bytes, in the order of a txid");
  });
});

describe("a penalty transaction on the wire", () => {
  const payload = (length: number): Uint8Array =>
    encodeUpdatePayload([
      {
        kind: "penaltyTransaction",
        commitmentTxid: txid("cd".repeat(32)),
        commitmentNumber: commitmentNumber(1),
        transaction: new Uint8Array(length),
      },
    ]);

  it("has a byte at least and no more than its limit", () => {
    assert.ok(parseUpdatePayload(payload(MAX_PENALTY_BYTES)).ok);
    const large = parseUpdatePayload(payload(MAX_PENALTY_BYTES + 1));
    assert.equal(!large.ok && large.error.reason, "tooLarge");
    const empty = parseUpdatePayload(payload(0));
    assert.equal(!empty.ok && empty.error.reason, "wrongLength");
  });
});
