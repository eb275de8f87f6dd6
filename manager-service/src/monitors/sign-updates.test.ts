/** What the link signs opens under the manager's key, for the epoch and the bytes it was given. */
import assert from "node:assert/strict";
import { must } from "@farwatch/protocol/assert";
import {
  openEventAckBatch,
  openPreimageBatch,
  openSession,
  openUpdateBatch,
  openWatch,
} from "@farwatch/protocol/envelope/open-manager-batch";
import { MAX_BATCH_UPDATES } from "@farwatch/protocol/envelope/limits";
import { eventId, hashOfPreimage, preimage, sourceKey } from "@farwatch/protocol/ids";
import { AssertionError } from "@farwatch/protocol/assert";
import { UpdateSigner } from "./sign-updates.js";
import * as fixtures from "./testing/fixtures.js";

const who = { managerKey: fixtures.MANAGER_KEY, chainHash: fixtures.CHAIN };
const own = {
  monitorKey: fixtures.MONITOR_KEY,
  storeId: fixtures.STORE_ID,
  chainHash: fixtures.CHAIN,
};

describe("signing for a monitor", () => {
  let drawn: number[];
  let signer: UpdateSigner;
  const withEpoch = (epoch: bigint): UpdateSigner =>
    new UpdateSigner({
      ...who,
      epoch,
      curve: fixtures.CURVE,
      managerSecret: fixtures.MANAGER_SECRET,
      bootNonce: new Uint8Array(32).fill(5),
      randomBytes(length) {
        drawn.push(length);
        return new Uint8Array(length).fill(drawn.length);
      },
    });
  beforeEach(() => {
    drawn = [];
    signer = withEpoch(12n);
  });

  it("opens a session with the epoch and the boot nonce, at one store", () => {
    const signed = signer.session(fixtures.MONITOR_KEY, fixtures.STORE_ID);
    const opened = openSession(fixtures.CURVE, who, own, signed);
    assert.ok(opened.ok);
    assert.equal(opened.value.header.epoch, 12n);
    assert.deepEqual(opened.value.header.bootNonce, new Uint8Array(32).fill(5));
  });

  it("signs many updates once, with their stored bytes", () => {
    const { updates } = fixtures.testChannel(1, 20);
    const batch = signer.updates(updates);
    assert.deepEqual(drawn, [32], "one signature");
    const opened = openUpdateBatch(fixtures.CURVE, who, batch);
    assert.ok(opened.ok);
    assert.equal(opened.value.batch.epoch, 12n);
    assert.deepEqual(
      opened.value.items.map((item) => (item.ok ? item.value.hash : "")),
      updates.map(({ updateHash }) => updateHash),
    );
    batch.updates.forEach(({ header, payload }, index) => {
      assert.ok(header.equals(must(updates[index], "update").header));
      assert.ok(payload.equals(must(updates[index], "update").payload));
    });
  });

  it("puts old updates under a new epoch unchanged", () => {
    const { updates } = fixtures.testChannel(1, 2);
    const [before, after] = [signer.updates(updates), withEpoch(13n).updates(updates)];
    assert.deepEqual(after.updates, before.updates);
    assert.notDeepEqual(after.header, before.header);
  });

  it("signs as many updates as a batch may hold, not one more, and not none", () => {
    const [update] = fixtures.testChannel(1, 1).updates;
    const many = (count: number) => Array.from({ length: count }, () => must(update, "update"));
    assert.equal(signer.updates(many(MAX_BATCH_UPDATES)).updates.length, MAX_BATCH_UPDATES);
    assert.throws(() => signer.updates(many(MAX_BATCH_UPDATES + 1)), AssertionError);
    assert.throws(() => signer.updates([]), AssertionError);
  });

  it("signs a first state through a batch that names the epoch", () => {
    const { watch } = fixtures.testChannel(2, 0);
    const { header, payload, batchHeader, signature } = signer.watch(watch);
    const signed = { batch: { header: batchHeader, signature }, header, payload };
    const opened = openWatch(fixtures.CURVE, who, signed);
    assert.ok(opened.ok);
    assert.equal(opened.value.batch.epoch, 12n);
    assert.equal(opened.value.hash, watch.watchHash);
  });

  it("signs many preimage records once, and names the HTLC only where it is known", () => {
    const secrets = [1, 2].map((fill) => preimage(new Uint8Array(32).fill(fill)));
    const channelId = fixtures.testChannel(4, 0).watch.channelId;
    const named = sourceKey("05".repeat(32));
    const records = secrets.map((secret, index) => ({
      channelId,
      paymentHash: hashOfPreimage(secret),
      preimage: secret,
      sourceKey: index === 0 ? named : undefined,
    }));
    const { request, hashes } = signer.preimages(records);
    assert.deepEqual(drawn, [32], "one signature");
    const opened = openPreimageBatch(fixtures.CURVE, who, {
      ...request,
      records: secrets.map((secret, index) => ({
        header: must(request.records[index], "record").header,
        preimage: secret,
      })),
    });
    assert.ok(opened.ok);
    assert.deepEqual(
      request.records.map((record) => [...record.preimage]),
      secrets.map((secret) => [...secret]),
    );
    for (const [index, item] of opened.value.items.entries()) {
      assert.ok(item.ok);
      assert.equal(item.value.hash, hashes[index]);
      assert.equal(item.value.header.epoch, 12n);
      assert.equal(item.value.header.channelId, channelId);
      assert.equal(item.value.header.sourceKey, index === 0 ? named : "00".repeat(32));
    }
  });

  it("signs many acks once, each for its own event", () => {
    const channel = fixtures.testChannel(3, 0);
    const acks = [1, 2].map((number) => {
      const { channelId, eventHash } = fixtures.testEvent(channel, number);
      return { channelId, storeId: fixtures.STORE_ID, eventId: eventId(number), eventHash };
    });
    const { header, signature, acks: bodies } = signer.acks(fixtures.MONITOR_KEY, acks);
    assert.deepEqual(drawn, [32], "one signature");
    const signed = { header, signature, acks: bodies.map((body) => body.header) };
    const opened = openEventAckBatch(fixtures.CURVE, who, own, signed);
    assert.ok(opened.ok);
    opened.value.items.forEach((item, index) => {
      assert.ok(item.ok);
      assert.equal(item.value.header.eventHash, acks[index]?.eventHash);
      assert.equal(item.value.header.eventId, BigInt(index + 1));
      assert.equal(item.value.header.epoch, 12n);
      assert.equal(item.value.header.outcome, "processed");
    });
  });
});
