/**
 * A channel taken over in the middle of any dance, also with splices pending: with what its monitor knew
 * besides the current commitments it goes on exactly as that monitor does. What cannot be is refused.
 */
import assert from "node:assert/strict";
import { must } from "@farwatch/protocol/assert";
import { sat } from "@farwatch/protocol/amount";
import type { CommitmentHtlc, EarlierState, InitialState } from "@farwatch/protocol/channel";
import { encodeInitialState, parseInitialState } from "@farwatch/protocol/convert/channel";
import {
  channelId,
  commitmentNumber,
  htlcId,
  perCommitmentSecret,
  preimage,
  type ChannelId,
} from "@farwatch/protocol/ids";
import type { Result } from "@farwatch/protocol/result";
import type { Refusal } from "@farwatch/protocol/reasons";
import { commitmentNumberOfIndex } from "@farwatch/protocol/bolt/commitment-number";
import { livePaymentHashes, liveSourceKeys } from "@farwatch/monitor-service/monitor/htlcs";
import { createMonitor } from "@farwatch/monitor-service/monitor/create";
import { importEvents } from "@farwatch/monitor-service/monitor/import-events";
import type { FundingScope, MonitorState } from "@farwatch/monitor-service/monitor/state";
import { step } from "@farwatch/monitor-service/monitor/step";
import { NOWHERE, offer, secretNamed } from "../channel/test-channel.js";
import { SIDES } from "../channel/setup.js";
import { protectedChannel, type ProtectedChannel } from "./protected-channel.js";
import { CHANNEL_TYPES, pay } from "./scenario.js";
import { spliceIn } from "./splicing.js";

/** What LDK's monitor would hand over of this state. */
function handedOver(state: MonitorState): InitialState {
  const now = ({ parameters, holder, counterparty }: FundingScope) => ({
    parameters,
    holderCommitment: holder,
    counterpartyCommitment: counterparty,
  });
  const before = <C>(of: (scope: FundingScope) => C | undefined) => {
    const commitment = of(state);
    if (commitment === undefined) return undefined;
    const pending = state.pendingFundings.flatMap((scope) => {
      const other = of(scope);
      return other === undefined ? [] : [{ funding: scope.parameters.funding, commitment: other }];
    });
    return { commitment, pending };
  };
  return {
    ...now(state),
    pendingFundings: state.pendingFundings.map(now),
    manualBroadcast: false,
    revokedSecrets: state.secrets.slots
      .flatMap((slot) => slot ?? [])
      .map(({ index, secret }) => ({
        commitmentNumber: commitmentNumberOfIndex(index),
        secret: perCommitmentSecret(secret),
      }))
      .sort((a, b) => a.commitmentNumber - b.commitmentNumber),
    bestBlock: undefined,
    ldkMonitor: undefined,
    earlier: {
      previousHolder: before(({ holderPrevious }) => holderPrevious),
      previousCounterparty: before(({ counterpartyPrevious }) => counterpartyPrevious),
      preimages: [...state.preimages.values()],
      fulfilled: [...state.fulfilled].map(([sourceKey, secret]) => ({
        sourceKey,
        preimage: secret,
      })),
      failed: [...state.failReasons].map(([sourceKey, reason]) => ({ sourceKey, reason })),
    },
  };
}

function created(p: ProtectedChannel, initial: InitialState): Result<MonitorState, Refusal> {
  const parsed = parseInitialState(encodeInitialState(initial));
  assert.ok(parsed.ok, "the wire carries it");
  const { latestUpdateId: updateId, latestUpdateHash: updateHash, best } = p.state;
  return createMonitor(p.ctx, parsed.value, { updateId, updateHash, best });
}

/**
 * Ids of events start anew, the first funding is the one it was taken over with. What no commitment names any
 * more is pruned at the next revocation, here or there.
 */
function comparable(state: MonitorState): unknown {
  const sources = liveSourceKeys(state);
  const hashes = livePaymentHashes(state);
  return {
    ...state,
    nextEventId: 0n,
    firstFunding: 0,
    retiredFundings: 0,
    preimages: new Map([...state.preimages].filter(([hash]) => hashes.has(hash))),
    fulfilled: new Map([...state.fulfilled].filter(([key]) => sources.has(key))),
    failReasons: new Map([...state.failReasons].filter(([key]) => sources.has(key))),
    reported: new Map(
      [...state.reported].filter(([key]) => sources.has(key) && state.fulfilled.has(key)),
    ),
  };
}

async function eachMessage(p: ProtectedChannel, see: () => void): Promise<void> {
  const { channel } = p;
  const once = async (): Promise<boolean> => {
    for (const side of SIDES) {
      if (channel.owesRevocation(side)) await channel.revoke(side);
      else if (channel.onItsWayTo(side) !== undefined) await channel.receiveNext(side);
      else if (channel.canSign(side)) await channel.signCommitment(side);
      else continue;
      return true;
    }
    return false;
  };
  while (await once()) see();
}

describe("monitor core: a channel taken over from another monitor", () => {
  for (const channelType of CHANNEL_TYPES) {
    it(`of type ${channelType}, taken over between any two messages goes on as it was`, async () => {
      const p = await protectedChannel({ channelType });
      let others: MonitorState[] = [];
      let taken = 0;
      let unrevoked = 0;
      const see = (): void => {
        for (const steps of p.updates.slice(taken)) {
          taken++;
          others = others.map((other) => {
            const done = step(p.ctx, other, {
              ...p.updateInput(steps),
              updateId: p.state.latestUpdateId,
              updateHash: p.state.latestUpdateHash,
            });
            assert.ok(
              done.ok,
              done.ok ? "" : `${done.error.message} ${done.error.details["field"]}`,
            );
            return done.value.state;
          });
        }
        for (const other of others) assert.deepEqual(comparable(other), comparable(p.state));
        const other = created(p, handedOver(p.state));
        assert.ok(
          other.ok,
          other.ok ? "" : `${other.error.message} ${other.error.details["field"]}`,
        );
        assert.deepEqual(comparable(other.value), comparable(p.state));
        if (other.value.counterpartyPrevious !== undefined) unrevoked++;
        others.push(other.value);
      };
      const dance = async (): Promise<void> => {
        await eachMessage(p, see);
      };
      const out = offer(p.channel, "holder", 30_000, "out");
      const failing = offer(p.channel, "holder", 31_000, "failing");
      const back = offer(p.channel, "counterparty", 40_000, "in");
      await dance();
      await p.channel.fulfillHtlc(out, secretNamed("out").preimage);
      await p.channel.fulfillHtlc(back, secretNamed("in").preimage);
      p.channel.failHtlc(failing);
      await dance();
      await spliceIn(p, "counterparty", 300_000n);
      see();
      offer(p.channel, "holder", 35_000, "more");
      await dance();
      assert.ok(unrevoked >= 4);
    });
  }

  describe("is refused", () => {
    let p: ProtectedChannel;
    let good: InitialState;
    beforeEach(async () => {
      p = await protectedChannel();
      await pay(
        p,
        { from: "holder", sat: 30_000, name: "out" },
        { from: "counterparty", sat: 40_000, name: "in" },
      );
      await spliceIn(p, "counterparty", 300_000n);
      offer(p.channel, "holder", 35_000, "more");
      await p.channel.signCommitment("holder");
      good = handedOver(p.state);
      assert.ok(created(p, good).ok);
    });
    const earlier = (): EarlierState => must(good.earlier, "what was known");
    const refused = (patch: Partial<EarlierState>): readonly (string | undefined)[] => {
      const done = created(p, { ...good, earlier: { ...earlier(), ...patch } });
      return done.ok ? ["taken"] : [done.error.reason, done.error.details["field"]];
    };
    const flipped = (bytes: Uint8Array): Uint8Array =>
      bytes.map((byte, index) => (index === 40 ? byte ^ 1 : byte));

    it("with a commitment that is not the one before", () => {
      const { previousHolder, previousCounterparty } = earlier();
      assert.ok(previousHolder !== undefined && previousCounterparty !== undefined);
      const other = { commitmentNumber: commitmentNumber(9) };
      assert.deepEqual(
        refused({
          previousHolder: {
            ...previousHolder,
            commitment: { ...previousHolder.commitment, ...other },
          },
        }),
        ["malformed", "earlier.previous_holder_commitments.commitment_number"],
      );
      assert.deepEqual(
        refused({
          previousCounterparty: {
            ...previousCounterparty,
            commitment: { ...previousCounterparty.commitment, ...other },
          },
        }),
        ["malformed", "earlier.previous_counterparty_commitments.commitment_number"],
      );
    });

    it("with a signature or a value that does not fit", () => {
      const { previousHolder, previousCounterparty } = earlier();
      assert.ok(previousHolder !== undefined && previousCounterparty !== undefined);
      const { commitment } = previousHolder;
      const counterpartySignature = flipped(commitment.counterpartySignature);
      assert.deepEqual(
        refused({
          previousHolder: {
            ...previousHolder,
            commitment: { ...commitment, counterpartySignature },
          },
        }),
        [
          "invalidCommitmentSignature",
          "earlier.previous_holder_commitments.counterparty_signature",
        ],
      );
      const { commitment: theirs } = previousCounterparty;
      const toBroadcasterSat = sat(theirs.toBroadcasterSat - 1n);
      assert.deepEqual(
        refused({
          previousCounterparty: {
            ...previousCounterparty,
            commitment: { ...theirs, toBroadcasterSat },
          },
        }),
        ["malformed", "earlier.previous_counterparty_commitments.txid"],
      );
    });

    it("with one on a funding that is not pending, or that says something else there", () => {
      const { previousCounterparty } = earlier();
      assert.ok(previousCounterparty !== undefined);
      const [on] = previousCounterparty.pending;
      assert.ok(on !== undefined);
      const field = "earlier.previous_counterparty_commitments";
      const withPending = (...pending: readonly (typeof on)[]) =>
        refused({ previousCounterparty: { ...previousCounterparty, pending } });
      assert.deepEqual(withPending({ ...on, funding: NOWHERE }), ["malformed", `${field}.funding`]);
      assert.deepEqual(withPending(on, on), ["malformed", `${field}.funding`]);
      assert.deepEqual(withPending({ ...on, commitment: { ...on.commitment, htlcs: [] } }), [
        "malformed",
        `${field}.htlcs`,
      ]);
    });

    it("with the preimage of another payment for an HTLC that was fulfilled", () => {
      const source = p.state.holder.htlcs.find((htlc) => htlc.source !== undefined)?.source;
      const { sourceKey } = must(source, "an outbound HTLC");
      const wrong = { sourceKey, preimage: preimage(new Uint8Array(32)) };
      assert.deepEqual(refused({ fulfilled: [wrong] }), [
        "preimageMismatch",
        "earlier.fulfilled[0]",
      ]);
    });

    it("with the secret of a commitment that it says is not revoked", () => {
      const { previousCounterparty } = earlier();
      const { commitmentNumber: number } = must(previousCounterparty, "one").commitment;
      const secret = perCommitmentSecret(new Uint8Array(32).fill(1));
      const revokedSecrets = [...good.revokedSecrets, { commitmentNumber: number, secret }];
      const done = created(p, { ...good, revokedSecrets });
      assert.ok(!done.ok && done.error.reason === "malformed");
    });
  });

  it("gives what was fulfilled to the inbound channels once more, and tells nothing twice", async () => {
    const p = await protectedChannel();
    const inbound = channelId("ab".repeat(32));
    const out = offer(p.channel, "holder", 30_000, "out");
    await p.channel.settle();
    await p.channel.fulfillHtlc(out, secretNamed("out").preimage);
    await p.channel.signCommitment("counterparty");
    await p.channel.receiveNext("holder");
    const initial = handedOver(forwardedFrom(p.state, inbound));
    const other = created(p, initial);
    assert.ok(other.ok);
    const told = importEvents(p.ctx, other.value, []);
    assert.ok(told.ok);
    assert.deepEqual(told.value.events, []);
    assert.deepEqual(
      told.value.relays.map(({ inboundChannelId, preimage: secret }) => [inboundChannelId, secret]),
      [[inbound, secretNamed("out").preimage]],
    );
  });
});

/** The same state, with its outbound HTLCs forwarded from another channel. */
function forwardedFrom(state: MonitorState, inbound: ChannelId): MonitorState {
  const forward = (htlc: CommitmentHtlc): CommitmentHtlc =>
    htlc.source === undefined
      ? htlc
      : {
          ...htlc,
          source: {
            ...htlc.source,
            origin: {
              kind: "forward",
              intercepted: false,
              inbound: {
                channelId: inbound,
                htlcId: htlcId(1),
                amountMsat: htlc.amountMsat,
                cltvExpiry: htlc.cltvExpiry,
                userChannelId: undefined,
              },
            },
          },
        };
  const all = <C extends { readonly htlcs: readonly CommitmentHtlc[] }>(commitment: C): C => ({
    ...commitment,
    htlcs: commitment.htlcs.map(forward),
  });
  return {
    ...state,
    holder: all(state.holder),
    holderPrevious: state.holderPrevious && all(state.holderPrevious),
    counterparty: all(state.counterparty),
  };
}
