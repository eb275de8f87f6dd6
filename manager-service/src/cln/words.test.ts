/** What lightningd says in init and hooks, and what the plugin says of items. */
import assert from "node:assert/strict";
import { fromHex } from "@farwatch/protocol/bytes";
import { encodeEventPayload } from "@farwatch/protocol/convert/event";
import type { MonitorEventBody } from "@farwatch/protocol/event";
import type { Item } from "@farwatch/protocol/gen/manager/v1/event";
import { commitmentNumber, txid, updateId } from "@farwatch/protocol/ids";
import { inWords } from "./items.js";
import { MANIFEST, readInit } from "./manifest.js";
import { readRevocation } from "./revocation.js";

const DIR = "/lightning/regtest";
const init = (options: object, network = "regtest") =>
  readInit({
    options,
    configuration: { "lightning-dir": DIR, "rpc-file": "lightning-rpc", network, startup: true },
  });

describe("init of the Core Lightning plugin", () => {
  it("takes everything from one folder beside lightningd's", () => {
    const settings = init({ "farwatch-manager": "m:9913" });
    assert.deepEqual(settings, {
      manager: "m:9913",
      network: "regtest",
      queueFile: `${DIR}/farwatch/penalties.db`,
      tls: {
        ca: `${DIR}/farwatch/ca.pem`,
        cert: `${DIR}/farwatch/node.pem`,
        key: `${DIR}/farwatch/node-key.pem`,
      },
      waitMs: undefined,
      rpcSocket: `${DIR}/lightning-rpc`,
    });
  });

  it("waits as long as it is told", () => {
    const durable = { "farwatch-manager": "m:1", "farwatch-answer": "durable" };
    const waitOf = (options: object): unknown => {
      const settings = init(options);
      return typeof settings === "string" ? settings : settings.waitMs;
    };
    assert.equal(waitOf(durable), 30_000);
    assert.equal(waitOf({ ...durable, "farwatch-answer-seconds": 0 }), 0);
  });

  it("says why it cannot be", () => {
    assert.equal(init({}), "farwatch-manager is not set");
    const bad = [
      init({ "farwatch-manager": "m:1", "farwatch-answer-seconds": -1 }),
      init({ "farwatch-manager": "m:1" }, "liquid"),
      readInit(undefined),
    ];
    for (const why of bad) assert.match(String(why), /^farwatch: /);
  });

  it("has a default in the manifest for each option that has one here", () => {
    const defaults = MANIFEST.options.flatMap((option) =>
      "default" in option ? [[option.name, option.default]] : [],
    );
    assert.deepEqual(defaults, [
      ["farwatch-answer", "queued"],
      ["farwatch-answer-seconds", 30],
    ]);
  });
});

describe("a revocation", () => {
  const commitment = "ab".repeat(32);
  const tx = `02000000000101${commitment}0000000000ffffffff01e803000000000000000101ff00000000`;
  const given = {
    commitment_txid: commitment,
    penalty_tx: tx,
    channel_id: "cd".repeat(32),
    commitnum: 2 ** 48 - 1,
  };

  it("is read with every number that a commitment may have", () => {
    const read = readRevocation(given);
    assert.ok(typeof read !== "string", String(read));
    assert.equal(read.channelId, given.channel_id);
    assert.equal(read.penalty.commitmentNumber, 2 ** 48 - 1);
    assert.deepEqual(read.penalty.transaction, fromHex(tx));
  });

  it("names what is wrong", () => {
    const wrong: readonly (readonly [object, RegExp])[] = [
      [{ commitnum: 2 ** 48 }, /^commitnum/],
      [{ penalty_tx: "0" }, /^penalty_tx/],
      [{ penalty_tx: "" }, /^penalty_tx/],
      [{ commitment_txid: "ef".repeat(32) }, /^penalty_tx: an input spends another transaction/],
      [{ channel_id: undefined }, /^channel_id/],
    ];
    for (const [change, pattern] of wrong) {
      assert.match(String(readRevocation({ ...given, ...change })), pattern);
    }
  });
});

describe("an item of Subscribe in words", () => {
  const monitorEvent = (body: MonitorEventBody): Item["item"] => ({
    $case: "monitorEvent",
    value: {
      channelId: Buffer.alloc(32, 1),
      eventId: 1n,
      header: Buffer.of(),
      eventHash: Buffer.of(),
      payload: Buffer.from(
        encodeEventPayload({ body, origin: { kind: "update", updateId: updateId(1) } }),
      ),
      subjectKey: Buffer.of(),
      createdAtMs: 0n,
      signature: Buffer.of(),
    },
  });
  const words = (item: Item["item"]) =>
    inWords({ itemId: 7n, semanticKey: "", createdAtMs: 0n, item });
  const overtaken = (byRevocationKey: boolean): MonitorEventBody => ({
    kind: "penaltyOvertaken",
    commitmentTxid: txid("aa".repeat(32)),
    commitmentNumber: commitmentNumber(1),
    outpoint: { txid: txid("aa".repeat(32)), vout: 3 },
    spentBy: txid("bb".repeat(32)),
    byRevocationKey,
  });

  it("is loud when money is at stake, and only then", () => {
    const lost = words(monitorEvent(overtaken(false)));
    assert.equal(lost.level, "broken");
    assert.match(lost.text, /^output 3 of revoked commitment a+ went to b+: the peer of channel/);
    assert.equal(words(monitorEvent(overtaken(true))).level, "info");
    const cheat = words(
      monitorEvent({
        kind: "commitmentTxConfirmed",
        txid: txid("aa".repeat(32)),
        spend: "revoked",
        mutualClose: false,
        commitmentNumber: commitmentNumber(4),
      }),
    );
    assert.deepEqual([cheat.level, /cheated.*number 4/.test(cheat.text)], ["broken", true]);
  });

  it("names the alarm, and a kind that it does not know", () => {
    const alarm = { code: "managerBehind", text: "an older copy", channelId: undefined };
    const told = words({
      $case: "userEvent",
      value: { event: { $case: "alarm", value: alarm } },
    });
    assert.deepEqual(told, { level: "broken", text: "managerBehind: an older copy" });
    assert.equal(words(undefined).level, "broken");
  });
});
