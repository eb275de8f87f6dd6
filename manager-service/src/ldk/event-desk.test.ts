import assert from "node:assert/strict";
import { msat } from "@farwatch/protocol/amount";
import { blockHash, blockHeight } from "@farwatch/protocol/block";
import type { EventOrigin, MonitorEventBody } from "@farwatch/protocol/event";
import {
  channelId,
  htlcId,
  paymentHash,
  paymentId,
  preimage,
  sourceKey,
  txid,
  updateId,
  type ChannelId,
} from "@farwatch/protocol/ids";
import { EventDesk } from "./event-desk.js";

const A = channelId("0a".repeat(32));
const B = channelId("0b".repeat(32));
const TXID = txid("0c".repeat(32));
const HEIGHT = 100;

const CLAIM: MonitorEventBody = {
  kind: "htlcEvent",
  paymentHash: paymentHash("0d".repeat(32)),
  source: {
    sourceKey: sourceKey("0e".repeat(32)),
    origin: {
      kind: "own",
      part: {
        paymentId: paymentId("0f".repeat(32)),
        partKey: new Uint8Array(32),
        pathSummary: new Uint8Array(0),
        firstHopMsat: msat(1000n),
      },
    },
    opaque: new Uint8Array(10),
  },
  htlcId: htlcId(0n),
  amountMsat: msat(1000n),
  userChannelId: undefined,
  resolution: {
    kind: "claimed",
    preimage: preimage(new Uint8Array(32)),
    skimmedFeeMsat: undefined,
    attributionData: undefined,
  },
};
const CLOSED: MonitorEventBody = {
  kind: "holderForceClosed",
  funding: { txid: TXID, vout: 0 },
  commitmentTxid: TXID,
  reason: { kind: "operator", text: "" },
};
const CONFIRMED: MonitorEventBody = {
  kind: "commitmentTxConfirmed",
  txid: TXID,
  spend: "counterparty",
  mutualClose: false,
  commitmentNumber: undefined,
};
const block = { height: blockHeight(HEIGHT), hash: blockHash("00".repeat(32)) };
const ON_CHAIN: EventOrigin = { kind: "chain", txid: TXID, block };
const OFF_CHAIN: EventOrigin = { kind: "update", updateId: updateId(3n) };

function desk({ hearsOfConfirmation = false, known = [A, B] } = {}) {
  const made = new EventDesk({ hearsOfConfirmation, knows: (id) => known.includes(id) });
  const tell = (itemId: bigint, body: MonitorEventBody, origin = ON_CHAIN, id: ChannelId = A) =>
    made.item({ itemId, channelId: id, body, origin });
  const look = (listed: readonly ChannelId[], height: number) =>
    made.look({ listed: new Set(listed), height });
  const kinds = () =>
    made.release().map(({ channelId: id, events, completed }) => ({
      id,
      kinds: events.map(({ kind }) => kind),
      completed,
    }));
  const completed = (update: bigint, itemWatermark = 0n, closed = false) =>
    made.completed(A, { updateId: update, itemWatermark, closed });
  return { made, tell, look, kinds, completed };
}

describe("what LDK is handed, and when", () => {
  it("an HTLC's outcome: when LDK has closed the channel and seen the block", () => {
    const { made, tell, look, kinds } = desk();
    assert.ok(tell(1n, CLAIM));
    assert.deepEqual(kinds(), []);
    look([A, B], HEIGHT);
    assert.deepEqual(kinds(), []);
    look([B], HEIGHT - 1);
    assert.deepEqual(kinds(), []);
    assert.equal(made.hasWork, false);
    look([B], HEIGHT);
    assert.equal(made.hasWork, true);
    assert.deepEqual(kinds(), [{ id: A, kinds: ["htlcEvent"], completed: undefined }]);
    assert.deepEqual(kinds(), []);
  });

  it("not of a channel that LDK opened after it was looked at", () => {
    const { made, tell, look, kinds } = desk();
    look([], HEIGHT);
    made.opened(A);
    tell(1n, CLAIM);
    assert.deepEqual(kinds(), []);
    assert.ok(made.isWaiting);
    look([A], HEIGHT);
    assert.deepEqual(kinds(), []);
    look([], HEIGHT);
    assert.equal(kinds().length, 1);
    assert.equal(made.isWaiting, false);
  });

  it("never an outcome that an update brought", () => {
    const { made, tell } = desk();
    assert.equal(tell(1n, CLAIM, OFF_CHAIN), false);
    assert.deepEqual(made.handedItems(), []);
  });

  it("the monitor's own close: at once, also before LDK was ever looked at", () => {
    const { tell, kinds } = desk();
    tell(1n, CLOSED);
    assert.deepEqual(kinds(), [{ id: A, kinds: ["holderForceClosed"], completed: undefined }]);
  });

  it("a confirmed commitment: only to an LDK that knows the word; done when LDK has closed", () => {
    const old = desk();
    old.tell(1n, CONFIRMED);
    old.look([A], HEIGHT);
    assert.deepEqual(old.kinds(), []);
    assert.deepEqual(old.made.handedItems(), []);
    old.look([], HEIGHT);
    assert.deepEqual(old.kinds(), []);
    assert.deepEqual(old.made.handedItems(), [1n]);
    const recent = desk({ hearsOfConfirmation: true });
    recent.tell(1n, CONFIRMED);
    assert.deepEqual(recent.kinds(), [
      { id: A, kinds: ["commitmentTxConfirmed"], completed: undefined },
    ]);
  });

  it("events in the order of their items, then Completed", () => {
    const { tell, look, kinds, completed } = desk();
    look([], HEIGHT);
    completed(9n);
    tell(2n, CLAIM);
    tell(1n, CLOSED);
    assert.deepEqual(kinds(), [
      { id: A, kinds: ["holderForceClosed", "htlcEvent"], completed: 9n },
    ]);
  });

  it("Completed when Subscribe has come as far as its watermark, each id once, cumulative", () => {
    const { made, kinds, completed } = desk();
    completed(3n, 5n);
    completed(4n, 7n);
    made.reached(4n);
    assert.deepEqual(kinds(), []);
    made.reached(5n);
    assert.deepEqual(kinds(), [{ id: A, kinds: [], completed: 3n }]);
    made.reached(7n);
    completed(5n, 6n);
    assert.deepEqual(kinds(), [{ id: A, kinds: [], completed: 5n }]);
    completed(5n);
    completed(4n);
    assert.deepEqual(kinds(), []);
  });

  it("the first Completed of id 0", () => {
    const { kinds, completed } = desk();
    completed(0n);
    assert.deepEqual(kinds(), [{ id: A, kinds: [], completed: 0n }]);
  });

  it("a Completed that was applied after the close waits until LDK has closed, one before it does not", () => {
    const { look, kinds, completed } = desk();
    look([A], HEIGHT);
    completed(3n);
    completed(4n, 0n, true);
    assert.deepEqual(kinds(), [{ id: A, kinds: [], completed: 3n }]);
    assert.deepEqual(kinds(), []);
    look([], HEIGHT);
    assert.deepEqual(kinds(), [{ id: A, kinds: [], completed: 4n }]);
  });

  it("nothing of a channel that LDK has no ChannelMonitor of, and says what is stranded", () => {
    const { made, tell, look, kinds, completed } = desk({ known: [B] });
    look([], HEIGHT);
    tell(1n, CLAIM);
    tell(2n, CLOSED);
    completed(3n);
    assert.deepEqual(kinds(), []);
    assert.deepEqual(
      made.stranded().map(({ itemId }) => itemId),
      [1n],
    );
    assert.deepEqual(made.handedItems(), [2n]);
  });

  it("an item is handed over once, and not again when a replay overtakes its Done", () => {
    const { made, tell, look, kinds } = desk();
    look([], HEIGHT);
    tell(1n, CLAIM);
    kinds();
    assert.ok(tell(1n, CLAIM));
    assert.deepEqual(kinds(), []);
    made.done([1n]);
    assert.equal(tell(1n, CLAIM), false);
    assert.deepEqual(kinds(), []);
  });

  it("what was done in an earlier life is handed over again and not done again", () => {
    const { made, look, kinds } = desk();
    look([], HEIGHT);
    made.repeat({ itemId: 1n, channelId: A, body: CLAIM, origin: ON_CHAIN });
    assert.deepEqual(kinds(), [{ id: A, kinds: ["htlcEvent"], completed: undefined }]);
    assert.deepEqual(made.handedItems(), []);
    assert.deepEqual(made.channelsWithHtlcs(), new Set());
  });
});
