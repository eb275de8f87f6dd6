import assert from "node:assert/strict";
import { sha256 } from "@noble/hashes/sha2.js";
import { msat } from "@farwatch/protocol/amount";
import { must } from "@farwatch/protocol/assert";
import { concatBytes, fromHex, toHex } from "@farwatch/protocol/bytes";
import type { HtlcSource } from "@farwatch/protocol/channel";
import type { HtlcFailReason } from "@farwatch/protocol/update";
import type { Link, OnLink } from "./link.js";
import { hops, HEIGHT } from "./testing/two-hops.js";
import type { ScriptedManager } from "./testing/scripted-manager.js";

const AMOUNT = msat(50_000_000);

async function three() {
  const made = await hops(["ab", "bc", "bd"]);
  const [ab, bc, bd] = made.links;
  return { ...made, ab: must(ab, "ab"), bc: must(bc, "bc"), bd: must(bd, "bd") };
}

/** Sources that the newest counterparty commitment of a channel named to the manager. */
function sources(manager: ScriptedManager, { channelId }: Link): readonly HtlcSource[] {
  const step = manager
    .stepsOf(channelId)
    .findLast(({ kind }) => kind === "latestCounterpartyCommitment");
  assert.ok(step?.kind === "latestCounterpartyCommitment");
  return step.commitment.htlcs.flatMap(({ source }) => (source === undefined ? [] : [source]));
}

/** The last holder commitment told. */
function lastHolderStep(manager: ScriptedManager, { channelId }: Link) {
  const step = manager.stepsOf(channelId).findLast(({ kind }) => kind === "latestHolderCommitment");
  assert.ok(step?.kind === "latestHolderCommitment");
  return step;
}

const locator = ({ link, htlc }: OnLink) => ({
  channelId: link.channelId,
  htlcId: htlc.id,
  amountMsat: htlc.amountMsat,
  cltvExpiry: htlc.cltvExpiry,
  userChannelId: undefined,
});

describe("routing node: forwards", () => {
  it("names the inbound HTLC in the source, with the key of contract 2.8", async () => {
    const { manager, node, ab, bc } = await three();
    const first = await node.receive(ab, AMOUNT);
    const second = await node.receive(ab, AMOUNT);
    const leg = await node.forward(second, bc);
    assert.equal(leg.htlc.amountMsat, 49_999_000n);
    assert.equal(leg.htlc.cltvExpiry, HEIGHT + 40);
    const id = new Uint8Array([0, 0, 0, 0, 0, 0, 0, 1]);
    const [source] = sources(manager, bc);
    assert.equal(source?.sourceKey, toHex(sha256(concatBytes(fromHex(ab.channelId), id))));
    assert.deepEqual(source?.origin, {
      kind: "forward",
      inbound: locator(second),
      intercepted: false,
    });
    assert.deepEqual(
      node.undecidedInbound().map(({ htlc }) => htlc.id),
      [first.htlc.id],
    );
  });

  it("tells what it skimmed of an intercepted HTLC when that is claimed", async () => {
    const { manager, node, ab, bc } = await three();
    const inbound = await node.receive(ab, AMOUNT);
    const skimmedFeeMsat = msat(20);
    const leg = await node.forward(inbound, bc, { intercepted: true, skimmedFeeMsat });
    assert.equal(leg.htlc.amountMsat, 49_998_980n);
    const [source] = sources(manager, bc);
    assert.ok(source?.origin.kind === "forward" && source.origin.intercepted);
    await bc.channel.fulfillHtlc(leg.htlc, inbound.secret.preimage);
    await bc.commit("counterparty");
    const { claimed } = lastHolderStep(manager, bc);
    assert.deepEqual(
      claimed.map((entry) => [entry.sourceKey, entry.skimmedFeeMsat]),
      [[source.sourceKey, 20n]],
    );
  });

  it("keeps the reason of a failure as it came, with its hold time", async () => {
    const { manager, node, ab, bc } = await three();
    const leg = await node.forward(await node.receive(ab, AMOUNT), bc);
    const reason: HtlcFailReason = {
      cause: { kind: "onionError", packet: new Uint8Array(292).fill(3) },
      holdTime: 5,
      attributionData: undefined,
    };
    bc.channel.failHtlc(leg.htlc, reason);
    await bc.commit("counterparty");
    assert.deepEqual(lastHolderStep(manager, bc).failed, [
      { sourceKey: leg.htlc.source.sourceKey, reason },
    ]);
  });

  it("splits and joins: trampoline sources name every inbound HTLC, each with its own key", async () => {
    const { manager, node, ab, bc, bd } = await three();
    const secret = node.newSecret();
    const inbound = [
      await node.receive(ab, AMOUNT, { secret }),
      await node.receive(bc, AMOUNT, { secret }),
    ];
    const one = await node.forward(inbound, bd, { amountMsat: msat(60_000_000) });
    const two = await node.forward(inbound, ab, { amountMsat: msat(39_000_000) });
    const made = [...sources(manager, bd), ...sources(manager, ab)];
    assert.deepEqual(
      made.map(({ origin }) => origin),
      [1, 2].map(() => ({ kind: "trampoline", inbound: inbound.map(locator) })),
    );
    assert.notEqual(one.htlc.source.sourceKey, two.htlc.source.sourceKey);
    assert.deepEqual(node.undecidedInbound(), []);
  });

  it("says that a planned HTLC was never sent, with its whole source", async () => {
    const { manager, node, ab, bc } = await three();
    const plan = node.plan(await node.receive(ab, AMOUNT), bc);
    await node.notSent(plan, "the channel closed");
    const [call] = manager.calls.htlcNotSent;
    assert.equal(toHex(must(call?.source, "source").sourceKey), plan.source.sourceKey);
    assert.equal(toHex(must(call, "call").channelId), bc.channelId);
    assert.equal(manager.stepsOf(bc.channelId).length, 0);
  });

  it("tells a preimage at once when update_fulfill_htlc arrives", async () => {
    const { manager, node, ab, bc } = await three();
    const inbound = await node.receive(ab, AMOUNT);
    const leg = await node.forward(inbound, bc);
    const before = bc.updates.length;
    await bc.channel.fulfillHtlc(leg.htlc, inbound.secret.preimage);
    await node.fastPath(leg, inbound.secret);
    const [call] = manager.calls.htlcFulfilled;
    assert.equal(toHex(must(call, "call").sourceKey), leg.htlc.source.sourceKey);
    assert.equal(bc.updates.length, before);
  });
});

describe("routing node: payments", () => {
  it("pays in parts over several channels, each with a key of its own", async () => {
    const { manager, node, bc, bd } = await three();
    const payment = await node.registerPayment(msat(80_000_000));
    await node.payPart(payment, bc, msat(50_000_000));
    await node.payPart(payment, bd, msat(30_000_000));
    assert.equal(manager.calls.registerPayment[0]?.totalMsat, 80_000_000n);
    const made = [...sources(manager, bc), ...sources(manager, bd)];
    assert.equal(new Set(made.map(({ sourceKey }) => sourceKey)).size, 2);
    for (const { origin } of made) {
      assert.ok(origin.kind === "own" && origin.part.paymentId === payment.paymentId);
    }
    await node.closePayment(payment, { $case: "noMoreParts", value: {} });
    assert.equal(manager.calls.closePayment.length, 1);
  });

  it("probes with sources that say so", async () => {
    const { manager, node, bc } = await three();
    const probe = await node.registerPayment(AMOUNT, { isProbe: true });
    await node.payPart(probe, bc, AMOUNT);
    assert.equal(manager.calls.registerPayment[0]?.isProbe, true);
    assert.equal(sources(manager, bc)[0]?.origin.kind, "probe");
  });

  it("claims all parts of a payment to itself in one call", async () => {
    const { manager, node, ab, bc } = await three();
    const secret = node.newSecret();
    const parts = [
      await node.receive(ab, msat(20_000_000), { secret }),
      await node.receive(bc, msat(30_000_000), { secret }),
    ];
    await node.claimPayment(secret, parts);
    const [call] = manager.calls.claimPayment;
    assert.deepEqual(
      must(call, "call").parts.map((part) => [toHex(part.channelId), part.amountMsat]),
      [
        [ab.channelId, 20_000_000n],
        [bc.channelId, 30_000_000n],
      ],
    );
    assert.deepEqual(node.undecidedInbound(), []);
  });
});
