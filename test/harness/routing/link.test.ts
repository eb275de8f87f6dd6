import assert from "node:assert/strict";
import { msat } from "@farwatch/protocol/amount";
import { must } from "@farwatch/protocol/assert";
import type { Link } from "./link.js";
import { UpdateRefused } from "./manager-connection.js";
import { ScriptedManager } from "./testing/scripted-manager.js";
import { hops, type Hops } from "./testing/two-hops.js";

const AMOUNT = msat(50_000_000);

/** A forward from the first channel to the second, committed on both. */
async function forwarded() {
  const { manager, node, links } = await hops(["ab", "bc"]);
  const [ab, bc] = links;
  const inbound = await node.receive(must(ab, "ab"), AMOUNT);
  const leg = await node.forward(inbound, must(bc, "bc"));
  return { manager, node, ab: inbound.link, bc: leg.link, inbound, leg };
}

const kinds = (manager: ScriptedManager, { channelId }: Link): readonly string[] =>
  manager.stepsOf(channelId).map(({ kind }) => kind);

describe("routing node: one channel in steps", () => {
  it("stops after the fulfil, after each commitment and after each revocation", async () => {
    const { manager, bc, leg, inbound } = await forwarded();
    const before = kinds(manager, bc).length;
    const told = (): readonly string[] => kinds(manager, bc).slice(before);
    await bc.channel.fulfillHtlc(leg.htlc, inbound.secret.preimage);
    assert.deepEqual(told(), []);
    await bc.commit("counterparty");
    assert.deepEqual(told(), ["latestHolderCommitment"]);
    await bc.revoke("holder");
    await bc.commit("holder");
    assert.deepEqual(told().slice(1), ["latestCounterpartyCommitment"]);
    await bc.revoke("counterparty");
    assert.deepEqual(told().slice(2), ["commitmentSecret"]);
    assert.equal(await bc.settle(), false);
  });

  it("goes on only when an update is completed, and sends it again in the next session", async () => {
    const { manager, node, ab, inbound } = await forwarded();
    manager.holds = true;
    const count = manager.updates.length;
    ab.remove(inbound.htlc.id, { kind: "claim", preimage: inbound.secret.preimage });
    const dance = ab.settle();
    await new Promise(setImmediate);
    assert.equal(manager.updates.length, count + 1);
    assert.equal(ab.channel.onItsWayTo("counterparty"), undefined);
    manager.lose();
    const next = new ScriptedManager();
    await node.restart(() => Promise.resolve(next));
    assert.equal(await dance, true);
    const again = must(next.updates[0], "the update in flight");
    const first = must(manager.updates.at(-1), "the update in flight");
    assert.deepEqual([again.updateId, again.payload], [first.updateId, first.payload]);
  });

  it("gives a refusal to whoever danced", async () => {
    const { manager, ab, inbound } = await forwarded();
    manager.refuses = "channelHalted";
    ab.remove(inbound.htlc.id, { kind: "claim", preimage: inbound.secret.preimage });
    await assert.rejects(ab.settle(), (error) => error instanceof UpdateRefused);
  });

  it("is closed by an update that was applied after the close", async () => {
    const { manager, bc, leg } = await forwarded();
    manager.closes = true;
    bc.channel.failHtlc(leg.htlc);
    await bc.commit("counterparty");
    assert.equal(bc.isClosed, true);
    await assert.rejects(bc.commit("holder"), /may not use/);
    await assert.rejects(bc.revoke("holder"), /may not use/);
  });

  it("names itself by what it told, and by less when it remembers less", async () => {
    const { ab, inbound } = await forwarded();
    const early = ab.updates.length;
    ab.remove(inbound.htlc.id, { kind: "claim", preimage: inbound.secret.preimage });
    await ab.settle();
    const numbers = (remembered?: number): readonly bigint[] => {
      const cursor = ab.cursor(remembered);
      return [
        cursor.lastUpdateId,
        cursor.holderCommitmentNumber,
        cursor.counterpartyCommitmentNumber,
        cursor.revokedCommitments,
      ];
    };
    assert.deepEqual(numbers(0), [0n, 0n, 0n, 0n]);
    assert.deepEqual(numbers(early), [3n, 1n, 1n, 1n]);
    assert.deepEqual(numbers(), [6n, 2n, 2n, 2n]);
    assert.equal(numbers()[1], BigInt(ab.channel.received("holder")));
    assert.equal(numbers()[3], BigInt(ab.channel.revokedBelow("counterparty")));
  });
});

describe("routing node: the peer goes and comes back", () => {
  const removal = ({ node }: Pick<Hops, "node">) =>
    [...node.links.values()].map(({ name, sent }) => [name, sent.map(({ kind }) => kind)]);

  it("forgets what the peer proposed and did not commit", async () => {
    const { bc, leg, inbound } = await forwarded();
    await bc.channel.fulfillHtlc(leg.htlc, inbound.secret.preimage);
    bc.disconnect();
    await assert.rejects(bc.settle(), /may not use/);
    bc.reconnect();
    assert.equal(await bc.settle(), false);
    bc.channel.failHtlc(leg.htlc);
    assert.equal(await bc.settle(), true);
    assert.equal(bc.channel.liveHtlcs().length, 0);
  });

  it("keeps what was committed before", async () => {
    const { bc, leg, inbound } = await forwarded();
    await bc.channel.fulfillHtlc(leg.htlc, inbound.secret.preimage);
    await bc.commit("counterparty");
    bc.disconnect();
    bc.reconnect();
    await bc.settle();
    assert.equal(bc.channel.liveHtlcs().length, 0);
  });

  it("sends what was held once, and says which answer the peer had", async () => {
    const { node, ab, inbound } = await forwarded();
    ab.disconnect();
    ab.held.set(inbound.htlc.id, { kind: "claim", preimage: inbound.secret.preimage });
    ab.flush();
    assert.deepEqual(removal({ node })[0], ["ab", []]);
    assert.equal(ab.stageOf(inbound.htlc.id), "standing");
    ab.reconnect();
    ab.flush();
    assert.deepEqual(removal({ node })[0], ["ab", ["claim"]]);
    assert.equal(ab.stageOf(inbound.htlc.id), "removing");
    await ab.settle();
    assert.equal(ab.stageOf(inbound.htlc.id), "gone");
    assert.equal(ab.removedBy(inbound.htlc.id), "claim");
  });
});
