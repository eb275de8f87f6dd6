/**
 * Events from updates alone (R10 to R12; contract 2.7, 2.10): a claim with the commitment that drops the
 * HTLC, a failure only with the secret that makes it final, preimages relayed to every inbound channel.
 */
import assert from "node:assert/strict";
import { msat } from "@farwatch/protocol/amount";
import { blockHeight } from "@farwatch/protocol/block";
import type { HtlcSource, InboundHtlc } from "@farwatch/protocol/channel";
import { channelId, htlcId, sourceKey } from "@farwatch/protocol/ids";
import type { Htlc } from "../channel/ledger.js";
import { onionFailure } from "../channel/proposals.js";
import { forwardSource } from "../channel/sources.js";
import { secretNamed } from "../channel/test-channel.js";
import { bodiesOf } from "./event-rules.js";
import { protectedChannel, type ProtectedChannel } from "./protected-channel.js";
import { CHANNEL_TYPES, counterpartyCloses, outcomes, pay } from "./scenario.js";

const inbound = (name: string, cltvExpiry = 700): InboundHtlc => ({
  channelId: channelId(name.repeat(64)),
  htlcId: htlcId(3n),
  amountMsat: msat(21_000_000),
  cltvExpiry: blockHeight(cltvExpiry),
  userChannelId: undefined,
});

const trampoline = (...from: readonly InboundHtlc[]): HtlcSource => ({
  sourceKey: sourceKey("ee".repeat(32)),
  origin: { kind: "trampoline", inbound: from },
  opaque: new Uint8Array(0),
});

async function withSource(source: HtlcSource, expiry = 600) {
  const p = await protectedChannel();
  const htlc = p.channel.addHtlc("holder", {
    amountMsat: msat(20_000_999),
    paymentHash: secretNamed("ours").paymentHash,
    cltvExpiry: blockHeight(expiry),
    source,
  });
  await p.channel.settle();
  return { p, htlc };
}

/** The counterparty signs the commitment without the HTLC and we take it. */
async function dropped(p: ProtectedChannel): Promise<void> {
  await p.channel.signCommitment("counterparty");
  await p.channel.receiveCommitment("holder");
}

/** We revoke and sign; the counterparty takes it and revokes. */
async function finish(p: ProtectedChannel): Promise<void> {
  await p.channel.revoke("holder");
  await p.channel.receiveRevocation("counterparty");
  await p.channel.signCommitment("holder");
  await p.channel.receiveCommitment("counterparty");
  await p.channel.revoke("counterparty");
}

async function one(channelType: (typeof CHANNEL_TYPES)[number]): Promise<[ProtectedChannel, Htlc]> {
  const p = await protectedChannel({ channelType });
  const [htlc] = await pay(p, { from: "holder", sat: 20_000, name: "ours" });
  assert.ok(htlc !== undefined);
  return [p, htlc];
}

for (const channelType of CHANNEL_TYPES) {
  describe(`monitor core: off-chain events of ${channelType}`, () => {
    it("a claim is told with the commitment that drops the HTLC, once, never failed", async () => {
      const [p, htlc] = await one(channelType);
      await p.channel.fulfillHtlc(htlc, secretNamed("ours").preimage);
      assert.deepEqual(outcomes(p, htlc), []);
      await dropped(p);
      assert.deepEqual(outcomes(p, htlc), ["claimed:update"]);
      const [told] = bodiesOf(p.events, "htlcEvent");
      assert.deepEqual(
        told?.resolution.kind === "claimed" && told.resolution.preimage,
        secretNamed("ours").preimage,
      );
      await finish(p);
      await p.channel.receiveRevocation("holder");
      assert.deepEqual(outcomes(p, htlc), ["claimed:update"]);
      assert.equal(p.state.fulfilled.size, 1, "our previous commitment still names it");
      await pay(p, { from: "counterparty", sat: 20_000, name: "next" });
      assert.equal(p.state.fulfilled.size, 0);
      assert.equal(p.state.reported.size, 0);
    });

    it("a failure is told only with the secret, with the reason the counterparty gave", async () => {
      const [p, htlc] = await one(channelType);
      p.channel.failHtlc(htlc);
      await dropped(p);
      await finish(p);
      assert.deepEqual(outcomes(p, htlc), []);
      await p.channel.receiveRevocation("holder");
      assert.deepEqual(outcomes(p, htlc), ["failed:update"]);
      const [told] = bodiesOf(p.events, "htlcEvent");
      assert.deepEqual(told?.resolution, { kind: "failed", reason: onionFailure() });
      counterpartyCloses(p);
      p.mineEmpty(10);
      assert.deepEqual(outcomes(p, htlc), ["failed:update"]);
    });
  });
}

describe("monitor core: preimage relays", () => {
  it("own payments relay nothing", async () => {
    const [p, htlc] = await one("static_remote_key");
    await p.channel.fulfillHtlc(htlc, secretNamed("ours").preimage);
    await p.channel.settle();
    assert.deepEqual(p.relays, []);
  });

  it("a forward relays to its inbound channel, off chain", async () => {
    const from = inbound("a");
    const { p, htlc } = await withSource(forwardSource(from));
    await p.channel.fulfillHtlc(htlc, secretNamed("ours").preimage);
    await p.channel.settle();
    const { preimage } = secretNamed("ours");
    const key = htlc.source.sourceKey;
    assert.deepEqual(p.relays, [{ inboundChannelId: from.channelId, preimage, sourceKey: key }]);
    assert.equal(bodiesOf(p.events, "htlcEvent")[0]?.amountMsat, 20_000_999n);
  });

  it("a trampoline forward relays to all of its inbound channels", async () => {
    const { p, htlc } = await withSource(trampoline(inbound("a"), inbound("b")));
    await p.channel.fulfillHtlc(htlc, secretNamed("ours").preimage);
    await dropped(p);
    assert.deepEqual(
      p.relays.map(({ inboundChannelId }) => inboundChannelId),
      [inbound("a").channelId, inbound("b").channelId],
    );
  });

  it("a failure relays nothing", async () => {
    const { p, htlc } = await withSource(forwardSource(inbound("a")));
    p.channel.failHtlc(htlc);
    await p.channel.settle();
    assert.deepEqual(p.relays, []);
    assert.deepEqual(outcomes(p, htlc), ["failed:update"]);
  });
});

describe("monitor core: failing back before the inbound HTLC expires (R27)", () => {
  const INBOUND_EXPIRY = 640;

  for (const [kind, source] of [
    ["a forward", forwardSource(inbound("a", INBOUND_EXPIRY))],
    ["a trampoline forward", trampoline(inbound("b", 900), inbound("a", INBOUND_EXPIRY))],
  ] as const) {
    it(`fails ${kind} 3 blocks before, when the channel is closing`, async () => {
      const { p, htlc } = await withSource(source);
      counterpartyCloses(p);
      p.mineTo(INBOUND_EXPIRY - 4);
      assert.deepEqual(outcomes(p, htlc), []);
      p.mine();
      assert.deepEqual(outcomes(p, htlc), ["failed:block"]);
      p.minePublished();
      p.mineEmpty(10);
      assert.deepEqual(outcomes(p, htlc), ["failed:block"], "told once");
    });
  }

  it("leaves an open channel and own payments alone", async () => {
    const open = await withSource(forwardSource(inbound("a", 520)));
    open.p.mineTo(530);
    assert.deepEqual(outcomes(open.p, open.htlc), []);
    const [own, htlc] = await one("static_remote_key");
    counterpartyCloses(own);
    own.mineTo(700);
    assert.deepEqual(outcomes(own, htlc), []);
  });
});
