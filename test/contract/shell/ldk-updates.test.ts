/**
 * LDK's own update bytes through a whole host with its SQLite store: the log keeps them as they came, a
 * restart reads them again, and justice finds HTLCs of revoked commitments in them.
 */
import assert from "node:assert/strict";
import { Transaction } from "bitcoinjs-lib";
import { must } from "@farwatch/protocol/assert";
import { concatBytes, equalBytes, fromHex, toHex } from "@farwatch/protocol/bytes";
import { decodeEventPayload } from "@farwatch/protocol/convert/event";
import { hashOfPreimage, preimage } from "@farwatch/protocol/ids";
import type { SubmitOutcome } from "@farwatch/monitor-service/runtime/monitor-host";
import { LdkNode, recordingNamed } from "./ldk-node.js";

const REVOKED = "revoked.anchors_zero_fee_htlc_tx";
const OTHER_CHANNEL = "77".repeat(32);

describe("LDK's update bytes in a host", function () {
  this.timeout(120_000);
  const recording = recordingNamed(REVOKED);
  let node: LdkNode;
  beforeEach(async () => {
    node = await LdkNode.start(recording, "B");
  });
  afterEach(() => node.world.end());

  const names = (): readonly string[] =>
    node.timeline.flatMap((entry) => (entry.type === "watch_channel" ? [entry.channel] : []));
  const name = (): string => must(names()[0], "a channel");
  const updates = (): readonly Uint8Array[] =>
    node.timeline.flatMap((entry) =>
      entry.type === "update_channel" ? [fromHex(entry.update)] : [],
    );
  async function restart(): Promise<void> {
    const before = node.world.stateOf(node.channelId(name()));
    await node.world.restart();
    await node.world.openSession();
    assert.deepEqual(node.world.stateOf(node.channelId(name())), before);
  }
  const spent = (): ReadonlySet<string> =>
    new Set(
      node.world.chain.broadcasts
        .flatMap((raw) => Transaction.fromBuffer(Buffer.from(raw)).ins)
        .map(({ hash, index }) => `${Buffer.from(hash).reverse().toString("hex")}:${index}`),
    );

  /** Up to the block in which the counterparty's revoked commitment confirms. */
  async function untilBreach(): Promise<readonly (typeof node.timeline)[number][]> {
    const [claim] = must(recording.expect?.["B"], "expected").confirmed_broadcasts;
    const { first_height: height } = must(claim, "a claim");
    const at = node.timeline.findIndex(
      (entry) => entry.type === "block_connected" && entry.height === height,
    );
    for (const entry of node.timeline.slice(0, at)) await node.take(entry);
    return node.timeline.slice(at);
  }

  it("keeps them as they came, and reads the same state from them after a restart", async () => {
    const rest = await untilBreach();
    await restart();
    const log = await node.world.store.readLog(0, 1_000);
    const sent = updates().slice(0, log.length);
    assert.ok(log.length > 30);
    assert.deepEqual(
      log.map(({ payload }) => toHex(payload)),
      sent.map(toHex),
    );
    assert.ok(rest.length > 0);
  });

  it("punishes a commitment whose revocation stands only in LDK's bytes, after a restart", async () => {
    const rest = await untilBreach();
    await restart();
    for (const entry of rest) await node.take(entry);
    const claims = must(recording.expect?.["B"], "expected").confirmed_broadcasts;
    const wanted = claims.flatMap(({ inputs }) => inputs);
    assert.equal(wanted.length, 3); // its own output and two HTLCs
    assert.deepEqual(
      wanted.filter((outpoint) => !spent().has(outpoint)),
      [],
    );
    const errors = node.world.lines.filter(({ level }) => level === "error");
    assert.deepEqual(errors, []);
  });

  it("answers the same bytes again, and refuses other ones at their id", async () => {
    const first = node.timeline.findIndex(({ type }) => type === "update_channel");
    for (const entry of node.timeline.slice(0, first)) await node.take(entry);
    const { manager } = node.world;
    const id = node.channelId(name());
    const [one, two] = updates();
    assert.ok(one !== undefined && two !== undefined);
    const head = must(manager.heads.get(id), "a head");
    const ldk = { payloadType: "ldkBytes" } as const;
    const update = manager.payloadUpdate(id, one, ldk);
    const answers = [await node.world.submit(update), await node.world.submit(update)];
    const hashes = answers.map(({ receipts }) => receipts?.receipts[0]?.updateHash);
    assert.deepEqual(hashes, [manager.heads.get(id)?.hash, manager.heads.get(id)?.hash]);
    manager.heads.set(id, head);
    const other = await node.world.submit(manager.payloadUpdate(id, two, ldk));
    assert.equal(other.refused[0]?.refusal.reason, "updateConflict");
  });

  describe("refuses, with everything as it was,", () => {
    const only = (outcome: SubmitOutcome) => must(outcome.refused[0]?.refusal, "a refusal");
    /** The trailer's channel id is the last thing LDK writes. */
    const otherChannel = (bytes: Uint8Array): Uint8Array =>
      concatBytes(bytes.slice(0, -32), fromHex(OTHER_CHANNEL));
    const otherId = (bytes: Uint8Array, id: string): Uint8Array =>
      concatBytes(bytes.slice(0, 2), fromHex(id), bytes.slice(10));
    const wrongs = [
      {
        what: "bytes that end early",
        of: (bytes: Uint8Array) => bytes.slice(0, -1),
        reason: "malformed",
        field: "ldk_bytes",
      },
      {
        what: "another update's number",
        of: (bytes: Uint8Array) => otherId(bytes, "0000000000000009"),
        reason: "malformed",
        field: "ldk_bytes.update_id",
      },
      {
        what: "the number LDK gave updates after a close before 0.1",
        of: (bytes: Uint8Array) => otherId(bytes, "ff".repeat(8)),
        reason: "rangeExceeded",
        field: "update_id",
      },
      {
        what: "another channel's update",
        of: otherChannel,
        reason: "malformed",
        field: "ldk_bytes.channel_id",
      },
      {
        what: "an update without steps",
        of: (bytes: Uint8Array) =>
          concatBytes(bytes.slice(0, 10), new Uint8Array(8), Uint8Array.of(0)),
        reason: "malformed",
        field: "steps",
      },
    ];
    for (const { what, of, reason, field } of wrongs) {
      it(what, async () => {
        const first = node.timeline.findIndex(({ type }) => type === "update_channel");
        for (const entry of node.timeline.slice(0, first)) await node.take(entry);
        const before = await node.world.rows();
        const bytes = must(updates()[0], "an update");
        const head = must(node.world.manager.heads.get(node.channelId(name())), "a head");
        const refusal = only(await node.update(name(), of(bytes)));
        assert.deepEqual([refusal.reason, refusal.details["field"]], [reason, field]);
        if (field === "ldk_bytes") {
          assert.ok(Number(refusal.details["offset"]) > bytes.length / 2);
        }
        const told = JSON.stringify(refusal);
        for (let at = 0; at + 8 < bytes.length; at += 8) {
          const piece = bytes.slice(at, at + 8);
          assert.ok(equalBytes(piece, new Uint8Array(8)) || !told.includes(toHex(piece)));
        }
        assert.deepEqual(await node.world.rows(), before);
        node.world.manager.heads.set(node.channelId(name()), head);
        assert.deepEqual((await node.update(name(), bytes)).refused, []);
      });
    }
  });

  it("a claimed entry that names no HTLC is applied: preimage stored, event told, alarm", async () => {
    const isClaim = (bytes: Uint8Array): boolean => toHex(bytes).includes(CLAIMED_ENTRY);
    const at = node.timeline.findIndex(
      (entry) => entry.type === "update_channel" && isClaim(fromHex(entry.update)),
    );
    for (const entry of node.timeline.slice(0, at)) await node.take(entry);
    const update = must(node.timeline[at], "an update that claims");
    assert.ok(update.type === "update_channel");
    const [entry = ""] = new RegExp(`${CLAIMED_ENTRY}[0-9a-f]{128}`, "u").exec(update.update) ?? [];
    const unknown = `${CLAIMED_ENTRY}${"5a".repeat(32)}${entry.slice(-64)}`;
    const outcome = await node.update(name(), fromHex(update.update.replace(entry, unknown)));
    assert.deepEqual(outcome.refused, []);
    await restart();
    const { host, manager, lines } = node.world;
    const secret = preimage(fromHex(entry.slice(-64)));
    const [event] = host
      .pendingEvents(manager.who, node.channelId(name()))
      .map(({ payload }) => decodeEventPayload(payload))
      .flatMap((read) => (read.ok ? [read.value.body] : []))
      .filter(({ kind }) => kind === "htlcEvent")
      .slice(-1);
    assert.ok(event?.kind === "htlcEvent" && event.resolution.kind === "claimed");
    assert.deepEqual(event.resolution.preimage, secret);
    assert.equal(event.source.opaque.length, 0);
    const view = host.channel(manager.who, node.channelId(name()));
    assert.ok(view.ok && view.value.state.preimages.has(hashOfPreimage(secret)));
    const alarms = lines.filter(({ level }) => level === "error");
    assert.equal(alarms.length, 1);
    assert.equal(alarms[0]?.fields["sourceKey"], event.source.sourceKey);
  });
});

/** `SentHTLCId::OutboundRoute`: variant 2, a TLV struct of 34 bytes, type 0 with 32 bytes. */
const CLAIMED_ENTRY = "02220020";
