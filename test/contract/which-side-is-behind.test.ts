/**
 * Restarts and restored copies of a whole manager and a whole monitor, with real gRPC between them (issue
 * "Restart"; persistent-events R60 to R62, R65, D13, D14, D24; ADR G-04).
 */
import assert from "node:assert/strict";
import { must } from "@farwatch/protocol/assert";
import { Verdict } from "@farwatch/protocol/gen/manager/v1/manager_service";
import { offer, secretNamed } from "../harness/channel/test-channel.js";
import { until } from "../harness/cluster/chain-facts.js";
import { Pair, WHO } from "./pair.js";

/** Updates of one payment that is claimed: each side's commitments and secrets. */
const count = (pair: Pair): number => pair.sent.length;

describe("a manager and a monitor that were restarted or restored", function () {
  this.timeout(60_000);
  let pair: Pair;
  beforeEach(async () => {
    pair = await Pair.start();
  });
  afterEach(() => pair.end());

  /** A session of a database that is older by `starts` starts is fenced that many times. */
  async function restartManager(starts = 1): Promise<void> {
    for (let n = 0; n < starts; n++) {
      await pair.stopManager();
      await pair.startManager();
    }
    await pair.replayed();
  }

  it("nothing is amiss after a reconnect or a restart at any point of a channel's life", async () => {
    const { channel } = pair;
    const reconnected = async (): Promise<void> => {
      await pair.cutOff();
      await until("cut", () => !pair.manager.link.status().connected);
      await pair.listen();
      await pair.replayed();
      await restartManager();
      assert.deepEqual([pair.alarms, pair.monitorUpdateId], [[], count(pair)]);
    };
    await reconnected();
    const htlc = offer(channel, "holder", 20_000, "one");
    await channel.signCommitment("holder");
    await reconnected();
    await channel.settle();
    await reconnected();
    const outputs = [{ script: Uint8Array.of(0, 20, ...new Uint8Array(20)), valueSat: 49_000n }];
    await channel.splices.negotiate({ addSat: { holder: -50_000n }, outputs });
    await reconnected();
    await channel.fulfillHtlc(htlc, secretNamed("one").preimage);
    await channel.settle();
    await reconnected();
    await channel.forceClose("holder");
    await reconnected();
  });

  it("a restored manager is named, kept from forking, and repaired by its node", async () => {
    await pair.pay("one");
    await pair.settle();
    await pair.stopManager();
    const restore = pair.copyManager();
    const before = count(pair);
    await pair.startManager();
    await pair.openSession();
    await pair.pay("two");
    await pair.settle();
    await pair.stopManager();
    restore();
    await pair.startManager();
    const { link } = pair.manager;
    await until("fenced", () => link.status().lastError?.includes("older copy") === true);
    assert.match(link.status().lastError ?? "", /serves epoch 2 of this manager and ours is 2/);
    await restartManager();
    const lost = count(pair) - before;
    const [told] = pair.alarms.filter((text) => text.startsWith("managerBehind"));
    const by = `by ${lost} updates (it holds ${before}, the monitor ${count(pair)}) and by 1 event`;
    assert.ok(told?.includes(`behind monitor mon-a ${by}`), told);
    const view = await pair.host.channel(WHO, pair.id);
    assert.ok(view.ok && view.value.frozen);
    const behind = { monitor: "mon-a", updates: BigInt(lost), events: 1n };
    assert.deepEqual(view.value.managerBehind, behind);

    await pair.offer(before + 1);
    assert.equal(pair.manager.updates.told.at(-1), "refused managerBehind");
    const [verdict] = await pair.openSession();
    assert.equal(verdict?.verdict, Verdict.NODE_AHEAD);
    assert.deepEqual([verdict.acceptedId, verdict.behindBy], [BigInt(before), BigInt(lost)]);
    for (let id = before + 1; id <= count(pair); id++) await pair.offer(id);
    await pair.completed(count(pair));
    await pair.handleAll();
    await pair.pay("three");
    await pair.settle();
    const after = await pair.host.channel(WHO, pair.id);
    assert.ok(after.ok && !after.value.frozen && after.value.durableId === BigInt(count(pair)));
  });

  it("a node restored with its manager is told that it is behind the monitor", async () => {
    await pair.pay("one");
    await pair.stopManager();
    const restore = pair.copyManager();
    await pair.startManager();
    await pair.openSession();
    const before = count(pair);
    await pair.pay("two");
    await pair.stopManager();
    restore();
    await pair.startManager();
    await restartManager();
    const lost = pair.sent.splice(before).length;
    const [verdict] = await pair.openSession();
    assert.deepEqual([verdict?.verdict, verdict?.behindBy], [Verdict.NODE_BEHIND, BigInt(lost)]);
  });

  it("a manager that lost its database is caught up by its node too", async () => {
    await pair.pay("one");
    await pair.settle();
    await pair.stopManager();
    pair.loseManager();
    await pair.startManager();
    const { link } = pair.manager;
    await until("fenced", () => link.status().lastError?.includes("older copy") === true);
    await restartManager();
    const [unknown] = await pair.openSession();
    assert.equal(unknown?.verdict, Verdict.UNKNOWN);
    await pair.watch();
    await until("compared", () => pair.alarms.length > 0);
    const by = `by ${count(pair)} updates (it holds 0, the monitor ${count(pair)}) and by 1 event`;
    assert.ok(pair.alarms[0]?.includes(by), pair.alarms[0]);
    const [verdict] = await pair.openSession();
    assert.equal(verdict?.verdict, Verdict.NODE_AHEAD);
    for (let id = 1; id <= count(pair); id++) await pair.offer(id);
    await pair.completed(count(pair));
    await pair.handleAll();
    await pair.pay("two");
    await pair.settle();
    assert.equal(pair.alarms.length, 1);
  });

  it("a restored monitor is named, sent what it lost, and its events count under their own hashes", async () => {
    await pair.pay("one");
    await pair.settle();
    await pair.cutOff();
    const restore = await pair.world.backUp();
    await pair.listen();
    await until("again", () => pair.manager.link.status().connected);
    const before = count(pair);
    await pair.pay("two");
    const told = pair.monitorView().state.nextEventId - 1n;
    await until(
      "recorded",
      () => pair.facts.filter((key) => /payment-sent/.test(key)).length === 2,
    );
    await pair.cutOff();
    await restore();
    assert.equal(pair.monitorUpdateId, before);
    await pair.listen();
    await until("caught up", () => pair.monitorUpdateId === count(pair));
    const lost = count(pair) - before;
    const [text] = pair.alarms;
    const updates = `${lost} updates (it holds ${before} and had confirmed ${count(pair)})`;
    const events = `1 event (its newest is ${told - 1n} and it had told ${told})`;
    assert.ok(text?.includes(`the monitor is behind by ${updates} and ${events}`), text);
    await pair.settle();
    assert.equal(new Set(pair.facts).size, pair.facts.length, "nothing is told twice");
    await pair.pay("three");
    await pair.settle();
    assert.deepEqual(
      pair.alarms.filter((alarm) => /Conflict|Gap/.test(alarm)),
      [],
    );
  });

  it("an event that only a restored monitor forgot to have acked is acked again, and told nobody", async () => {
    await pair.pay("one");
    await pair.cutOff();
    const restore = await pair.world.backUp();
    await pair.listen();
    await pair.settle();
    const facts = pair.facts;
    await pair.cutOff();
    await restore();
    const held = pair.eventsHeld();
    assert.ok(held.length > 0, "un-acked in the copy");
    await pair.listen();
    await until("acked again", () => pair.eventsHeld().length === 0);
    assert.deepEqual([pair.facts, pair.alarms], [facts, []]);
    await until("confirmed", async () => (await pair.host.pendingEvents(WHO)).length === 0);
  });

  it("a monitor with a new store is brought up from the first state", async () => {
    await pair.pay("one");
    await pair.settle();
    await pair.cutOff();
    await pair.world.loseStore();
    await pair.listen();
    await until("caught up", () => pair.monitorUpdateId === count(pair));
    await pair.pay("two");
    await pair.settle();
    assert.deepEqual(
      pair.alarms.map((text) => text.split(":")[0]),
      ["storeReplaced"],
    );
  });

  it("D24: an update in flight over a restart of the manager is no conflict under the new epoch", async () => {
    await pair.cutOff();
    offer(pair.channel, "holder", 20_000, "one");
    const settled = pair.channel.settle();
    await until("accepted", () => pair.manager.updates.told.includes(`accepted ${count(pair)}`));
    const first = pair.manager.running.epoch;
    await pair.stopManager();
    await pair.startManager();
    await pair.openSession();
    assert.equal(pair.manager.running.epoch, first + 1n);
    await pair.listen();
    await settled;
    assert.deepEqual(pair.alarms, []);
    assert.equal(pair.monitorUpdateId, count(pair));
  });

  it("D24: nor is one that the monitor has and whose receipt was lost", async () => {
    let isDurable = false;
    pair.atManager = (name) => {
      if (name !== "beforeCommit:receiptsStored") return;
      isDurable = true;
      throw new Error("the process ends here");
    };
    offer(pair.channel, "holder", 20_000, "one");
    const settled = pair.channel.settle();
    await until("durable there", () => isDurable);
    await pair.stopManager();
    pair.atManager = () => undefined;
    await pair.startManager();
    await pair.openSession();
    await settled;
    assert.deepEqual(pair.alarms, []);
    const log = await pair.world.store.readLog(0, 1_000);
    const rows = log.filter(({ kind }) => kind === "update").length;
    assert.equal(rows, count(pair), "none is stored twice");
  });

  /** Three payments that one commitment claims: events 1 to 3 in one commit of the monitor. */
  async function claimThree(): Promise<void> {
    const names = ["one", "two", "three"];
    const htlcs = names.map((name) => offer(pair.channel, "holder", 20_000, name));
    await pair.channel.settle();
    for (const [index, htlc] of htlcs.entries()) {
      const { preimage } = secretNamed(must(names[index], "name"));
      await pair.channel.fulfillHtlc(htlc, preimage);
    }
    await pair.channel.settle();
  }
  const sentFacts = (): readonly string[] => pair.facts.filter((key) => /^payment-sent/.test(key));

  for (const isRestarted of [false, true]) {
    const what = isRestarted ? "the manager ends" : "the connection is cut";
    it(`D13: ${what} in the middle of a batch of events: same order, none twice, none lost`, async () => {
      let seen = 0;
      const cut: Promise<void>[] = [];
      pair.atManager = (name) => {
        if (name !== "beforeCommit:monitorEvent" || ++seen !== 2) return undefined;
        cut.push(pair.cutOff());
        if (isRestarted) throw new Error("the process ends here");
        return cut[0];
      };
      const settled = claimThree();
      await until("cut", () => cut.length > 0);
      await Promise.all(cut);
      if (isRestarted) {
        await pair.stopManager();
        await pair.startManager();
      }
      await pair.listen();
      if (isRestarted) await pair.openSession();
      await settled;
      await until("all told", () => sentFacts().length === 3);
      const byId = new Map(pair.manager.items.items.map((item) => [item.itemId, item.semanticKey]));
      const told = [...byId.values()].filter((key) => /^payment-sent/.test(key));
      assert.deepEqual(told, sentFacts(), "each under one id");
      const ids = [...byId.keys()];
      assert.deepEqual(
        ids,
        [...ids].sort((a, b) => Number(a - b)),
        "in the monitor's order",
      );
      await pair.settle();
      assert.deepEqual(pair.alarms, []);
      assert.ok(seen > 3, "some came twice");
    });
  }

  it("D14: of two processes the older epoch acks nothing and stores no preimage", async () => {
    await pair.stopManager();
    pair.copyManager();
    await pair.startManager();
    await pair.openSession();
    await pair.pay("one");
    const held = pair.eventsHeld();
    assert.ok(held.length > 0);
    const overtaken = await pair.managerOn("copy-1");
    await overtaken.running.stop(); // it has the epoch of the first: fenced
    const newer = await pair.managerOn("copy-1");
    const { link } = pair.manager;
    await until("fenced", () => /fenced|over/.test(link.status().lastError ?? ""));
    assert.equal(link.status().connected, false);
    await pair.handleAll();
    const { preimage, paymentHash } = secretNamed("x");
    pair.sent.push([{ kind: "paymentPreimage", preimage, paymentInfo: undefined }]);
    await pair.offer(count(pair));
    await until("the newer one", () => newer.link.status().connected);
    assert.deepEqual(pair.eventsHeld(), held);
    assert.ok(!pair.monitorView().state.preimages.has(paymentHash));
    await newer.running.stop();
  });
});
