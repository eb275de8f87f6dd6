/**
 * Updates of channels with splices: what the engine negotiates is accepted on every funding, what is
 * wrong on any of them is refused and changes nothing, a replay gives the same state.
 */
import assert from "node:assert/strict";
import { sat } from "@farwatch/protocol/amount";
import type {
  ChannelParameters,
  CounterpartyCommitment,
  HolderCommitment,
} from "@farwatch/protocol/channel";
import { must } from "@farwatch/protocol/assert";
import { MAX_PENDING_FUNDINGS } from "@farwatch/protocol/convert/limits";
import { encodeUpdatePayload, parseUpdatePayload } from "@farwatch/protocol/convert/update";
import { commitmentNumber, sourceKey, txid, updateId } from "@farwatch/protocol/ids";
import type { UpdateStep } from "@farwatch/protocol/update";
import { encodeState } from "@farwatch/monitor-service/monitor/codec";
import { step } from "@farwatch/monitor-service/monitor/step";
import { NOWHERE } from "../channel/test-channel.js";
import { protectedChannel, type ProtectedChannel } from "./protected-channel.js";
import { CHANNEL_TYPES, fulfill, pay } from "./scenario.js";
import { spliceIn, spliceOut } from "./splicing.js";

type StepOf<K extends UpdateStep["kind"]> = Extract<UpdateStep, { kind: K }>;

const flipped = (bytes: Uint8Array): Uint8Array =>
  bytes.map((byte, index) => (index === 40 ? byte ^ 1 : byte));

/** What is told while `act` runs, up to the step of that kind; the steps before are applied. */
async function nextOf<K extends UpdateStep["kind"]>(
  p: ProtectedChannel,
  kind: K,
  act: () => Promise<unknown>,
): Promise<StepOf<K>> {
  p.held = [];
  await act();
  const told = p.held;
  p.held = undefined;
  const isKind = (item: UpdateStep): item is StepOf<K> => item.kind === kind;
  for (const item of told.flat()) {
    if (isKind(item)) return item;
    p.update([item]);
  }
  return assert.fail(`no ${kind} was told`);
}

const fieldOf = (p: ProtectedChannel, item: UpdateStep): string | undefined => {
  const done = step(p.ctx, p.state, p.updateInput([item]));
  return done.ok ? undefined : done.error.details["field"];
};

/** HTLCs in both directions, one of them dust. */
const busy = (p: ProtectedChannel) =>
  pay(
    p,
    { from: "holder", sat: 30_000, name: "out" },
    { from: "counterparty", sat: 40_000, name: "in" },
    { from: "counterparty", sat: 100, name: "dust" },
  );

for (const channelType of CHANNEL_TYPES) {
  describe(`monitor core: updates of a spliced ${channelType} channel`, () => {
    it("goes on through splices in and out, and replays to the same state", async () => {
      const p = await protectedChannel({ channelType });
      const [out] = await busy(p);
      const first = await spliceIn(p, "counterparty", 300_000n);
      await fulfill(p, must(out, "HTLC"), "out");
      const second = await spliceOut(p, "holder", 150_000n);
      assert.equal(p.state.pendingFundings.length, 2);
      const [more] = await pay(p, { from: "holder", sat: 20_000, name: "more" });
      p.channel.failHtlc(must(more, "HTLC"));
      await p.channel.settle();
      await p.channel.splices.lock(second);
      assert.equal(p.state.parameters.channelValueSat, sat(850_000n));
      await pay(p, { from: "counterparty", sat: 25_000, name: "after" });
      await spliceIn(p, "holder", 77_000n);
      await pay(p, { from: "holder", sat: 26_000, name: "again" });
      assert.deepEqual(
        p.state.retiredFundings.map(({ parameters }) => parameters.funding),
        [NOWHERE, first.funding],
      );
      let replayed = p.initial;
      const events = p.updates.flatMap((steps, index) => {
        const payload = encodeUpdatePayload(steps);
        const parsed = parseUpdatePayload(payload);
        assert.ok(parsed.ok, "the wire carries it");
        const id = updateId(index + 1);
        const done = step(p.ctx, replayed, {
          ...p.updateInput(parsed.value),
          updateId: id,
          verifySignatures: false,
        });
        assert.ok(done.ok, `replay of update ${index}`);
        replayed = done.value.state;
        return done.value.events;
      });
      assert.deepEqual(events, p.events);
      assert.deepEqual(encodeState(replayed), encodeState(p.state));
    });
  });
}

describe("monitor core: what is refused of a new funding", () => {
  async function negotiated() {
    const p = await protectedChannel();
    await busy(p);
    const good = await nextOf(p, "renegotiatedFunding", () => spliceIn(p, "holder", 100_000n));
    const withParameters = (patch: Partial<ChannelParameters>): UpdateStep => ({
      ...good,
      parameters: { ...good.parameters, ...patch },
    });
    return { p, good, withParameters };
  }

  it("refuses a funding that is known, or that does not splice the locked one", async () => {
    const { p, good, withParameters } = await negotiated();
    const at = "parameters.splice_parent_funding_txid";
    const other = txid("12".repeat(32));
    assert.equal(fieldOf(p, withParameters({ funding: NOWHERE })), "parameters.funding");
    assert.equal(fieldOf(p, withParameters({ spliceParentFundingTxid: other })), at);
    p.update([good]);
    assert.equal(fieldOf(p, good), "parameters.funding", "twice");
    await p.channel.splices.lock(must(p.channel.splices.pending[0], "pending"));
    assert.equal(fieldOf(p, good), "parameters.funding", "locked already");
    const next = await nextOf(p, "renegotiatedFunding", () => spliceIn(p, "holder", 110_000n));
    const orphan = {
      ...next,
      parameters: { ...next.parameters, spliceParentFundingTxid: undefined },
    };
    assert.equal(fieldOf(p, orphan), at, "a spliced channel has no other first funding");
  });

  it("refuses a splice that would change anything but the funding", async () => {
    const { p, good, withParameters } = await negotiated();
    const { holderPubkeys, counterpartyPubkeys } = good.parameters;
    const revocationBasepoint = counterpartyPubkeys.paymentPoint;
    const changes: readonly (readonly [Partial<ChannelParameters>, string])[] = [
      [{ channelType: "anchors_zero_fee_htlc" }, "channel_type"],
      [{ holderIsOpener: !good.parameters.holderIsOpener }, "holder_is_opener"],
      [{ holderPubkeys: { ...holderPubkeys, revocationBasepoint } }, "holder_pubkeys"],
      [{ channelKeysId: new Uint8Array(32) }, "channel_keys_id"],
      [{ destinationScript: Uint8Array.of(1, 2) }, "destination_script"],
      [{ shutdownScript: Uint8Array.of(1, 2) }, "shutdown_script"],
    ];
    for (const [patch, name] of changes) {
      assert.equal(fieldOf(p, withParameters(patch)), `parameters.${name}`);
    }
    const notAPoint = { ...counterpartyPubkeys, fundingPubkey: new Uint8Array(33) };
    assert.equal(fieldOf(p, withParameters({ counterpartyPubkeys: notAPoint })), "funding_pubkey");
  });

  it("refuses commitments that do not verify on it or say something else", async () => {
    const { p, good, withParameters } = await negotiated();
    const { holderCommitment, counterpartyCommitment } = good;
    const holder = (patch: Partial<HolderCommitment>): UpdateStep => ({
      ...good,
      holderCommitment: { ...holderCommitment, ...patch },
    });
    const counterparty = (patch: Partial<CounterpartyCommitment>): UpdateStep => ({
      ...good,
      counterpartyCommitment: { ...counterpartyCommitment, ...patch },
    });
    const signature = flipped(holderCommitment.counterpartySignature);
    const input = p.updateInput([holder({ counterpartySignature: signature })]);
    assert.equal(p.refused(input), "invalidCommitmentSignature");
    const next = commitmentNumber(holderCommitment.commitmentNumber + 1);
    const cases: readonly (readonly [UpdateStep, string])[] = [
      [
        withParameters({ channelValueSat: sat(1_234_567n) }),
        "holder_commitment.counterparty_signature",
      ],
      [holder({ commitmentNumber: next }), "holder_commitment.commitment_number"],
      [holder({ htlcs: holderCommitment.htlcs.slice(1) }), "holder_commitment.htlcs"],
      [holder({ txid: NOWHERE.txid }), "holder_commitment.txid"],
      [counterparty({ htlcs: [] }), "counterparty_commitment.htlcs"],
      [counterparty({ txid: NOWHERE.txid }), "counterparty_commitment.txid"],
      [
        counterparty({ perCommitmentPoint: holderCommitment.perCommitmentPoint }),
        "counterparty_commitment.per_commitment_point",
      ],
    ];
    for (const [item, field] of cases) {
      assert.equal(fieldOf(p, item), field);
      p.refused(p.updateInput([item]));
    }
    p.update([good]);
  });

  it(`takes ${MAX_PENDING_FUNDINGS} pending fundings and not one more`, async () => {
    const p = await protectedChannel();
    for (let count = 0; count < MAX_PENDING_FUNDINGS; count++) {
      await spliceOut(p, "holder", 10_000n + BigInt(count));
    }
    const more = await nextOf(p, "renegotiatedFunding", () => spliceOut(p, "holder", 20_000n));
    assert.equal(p.refused(p.updateInput([more])), "tooLarge");
  });

  it("locks only what is pending", async () => {
    const { p, good } = await negotiated();
    const { txid: fundingTxid } = good.parameters.funding;
    const lock = { kind: "renegotiatedFundingLocked", fundingTxid } as const;
    assert.equal(fieldOf(p, lock), "funding_txid");
    p.update([good]);
    p.update([lock]);
    assert.equal(fieldOf(p, lock), "funding_txid", "once");
  });
});

describe("monitor core: what is refused of commitments on several fundings", () => {
  async function pendingTwice(): Promise<ProtectedChannel> {
    const p = await protectedChannel();
    await busy(p);
    await spliceIn(p, "holder", 100_000n);
    await spliceIn(p, "holder", 100_300n);
    return p;
  }
  const payMore = (p: ProtectedChannel) => () =>
    pay(
      p,
      { from: "counterparty", sat: 12_000, name: "next" },
      { from: "holder", sat: 9_000, name: "mine" },
    );

  it("wants one of each funding, in their order", async () => {
    const p = await pendingTwice();
    const good = await nextOf(p, "latestHolderCommitment", payMore(p));
    const [first, second] = good.pending;
    const on = (...pending: readonly (typeof first)[]): UpdateStep => ({
      ...good,
      pending: pending.map((each) => must(each, "pending")),
    });
    assert.equal(fieldOf(p, on()), "commitments");
    assert.equal(fieldOf(p, on(first)), "commitments");
    assert.equal(fieldOf(p, on(first, second, second)), "commitments");
    assert.equal(fieldOf(p, on(second, first)), "commitments[1].funding");
    assert.equal(fieldOf(p, on(first, first)), "commitments[2].funding");
    for (const item of [on(), on(first), on(second, first)]) p.refused(p.updateInput([item]));
    p.update([good]);
  });

  it("wants every holder commitment good on its own funding, and all of them alike", async () => {
    const p = await pendingTwice();
    const good = await nextOf(p, "latestHolderCommitment", payMore(p));
    const last = (patch: Partial<HolderCommitment>): UpdateStep => ({
      ...good,
      pending: good.pending.map((each, index) =>
        index === 1 ? { ...each, commitment: { ...each.commitment, ...patch } } : each,
      ),
    });
    const { commitment } = must(good.pending[1], "the second splice");
    const signature = flipped(commitment.counterpartySignature);
    const wrong = p.updateInput([last({ counterpartySignature: signature })]);
    assert.equal(p.refused(wrong), "invalidCommitmentSignature");
    const onFirst = must(good.pending[0], "the first splice").commitment;
    const [head, ...tail] = commitment.htlcs;
    const renamed = { ...must(head, "HTLC"), source: undefined };
    const moved = must(
      commitment.htlcs.find(({ source }) => source !== undefined),
      "outbound",
    );
    const resourced = commitment.htlcs.map((htlc) =>
      htlc === moved && moved.source !== undefined
        ? { ...moved, source: { ...moved.source, sourceKey: sourceKey("ee".repeat(32)) } }
        : htlc,
    );
    const cases: readonly (readonly [Partial<HolderCommitment>, string])[] = [
      [{ commitmentNumber: p.state.holder.commitmentNumber }, "commitment_number"],
      [{ perCommitmentPoint: p.state.holder.perCommitmentPoint }, "per_commitment_point"],
      [{ htlcs: tail }, "htlcs"],
      [{ htlcs: [...tail, { ...renamed, htlcId: must(tail[0], "HTLC").htlcId }] }, "htlcs"],
      [{ htlcs: resourced }, "htlcs"],
      [onFirst, "txid"],
    ];
    for (const [patch, field] of cases) {
      assert.equal(fieldOf(p, last(patch)), `commitments[2].${field}`);
      p.refused(p.updateInput([last(patch)]));
    }
    p.update([good]);
  });

  it("wants every counterparty commitment as rebuilt on its own funding", async () => {
    const p = await pendingTwice();
    const good = await nextOf(p, "latestCounterpartyCommitment", payMore(p));
    const [first, second] = good.pending.map((each) => must(each, "pending"));
    const swapped = {
      ...good,
      pending: [
        { funding: must(first, "one").funding, commitment: must(second, "two").commitment },
        must(second, "two"),
      ],
    };
    assert.equal(fieldOf(p, swapped), "commitments[1].txid");
    assert.equal(fieldOf(p, { ...good, pending: [] }), "commitments");
    p.refused(p.updateInput([swapped]));
    p.update([good]);
    assert.deepEqual(
      p.state.pendingFundings.map(({ counterparty }) => counterparty.txid),
      good.pending.map(({ commitment }) => commitment.txid),
    );
  });

  it("keeps HTLC sources as told for the locked funding, so that events never depend on it", async () => {
    const p = await pendingTwice();
    const good = await nextOf(p, "latestHolderCommitment", payMore(p));
    const opaque = Uint8Array.of(1, 2, 3);
    const pending = good.pending.map(({ funding, commitment }) => ({
      funding,
      commitment: {
        ...commitment,
        htlcs: commitment.htlcs.map((htlc) =>
          htlc.source === undefined ? htlc : { ...htlc, source: { ...htlc.source, opaque } },
        ),
      },
    }));
    p.update([{ ...good, pending }]);
    const sources = ({ htlcs }: HolderCommitment) =>
      new Map(
        htlcs.flatMap(({ source }) => (source === undefined ? [] : [[source.sourceKey, source]])),
      );
    for (const { holder } of p.state.pendingFundings) {
      assert.deepEqual(sources(holder), sources(good.commitment));
    }
  });

  it("takes LDK's release of a payment without effect, also after the close", async () => {
    const p = await pendingTwice();
    const release = {
      kind: "ldkReleasePaymentComplete",
      sourceKey: sourceKey("ab".repeat(32)),
    } as const;
    const before = p.state;
    p.update([release]);
    const { latestUpdateId, latestUpdateHash } = p.state;
    assert.deepEqual(p.state, { ...before, latestUpdateId, latestUpdateHash });
    await p.channel.forceClose("holder");
    p.update([release]);
  });
});
