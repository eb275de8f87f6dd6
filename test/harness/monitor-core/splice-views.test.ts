/**
 * Balances, archival and watchtower helpers through splices: one candidate a funding, the confirmed one
 * named; closes count on the funding they spend; a commitment is given on every funding it may spend.
 */
import assert from "node:assert/strict";
import { feeratePerKw } from "@farwatch/protocol/amount";
import { must } from "@farwatch/protocol/assert";
import { outpointKey } from "@farwatch/protocol/ids";
import { totalClaimableSat } from "@farwatch/monitor-service/monitor/balances/balance";
import { archivalOf } from "@farwatch/monitor-service/monitor/archival";
import { claimableBalances } from "@farwatch/monitor-service/monitor/balances/claimable-balances";
import {
  buildJustice,
  counterpartyCommitmentsInState,
  counterpartyTx,
} from "@farwatch/monitor-service/monitor/watchtower";
import { seedSigner } from "../channel/seed-signer.js";
import { DEFAULT_SEEDS } from "../channel/setup.js";
import { NOWHERE } from "../channel/test-channel.js";
import { accountedSat, balancesOf } from "./balances-of.js";
import { protectedChannel, type ProtectedChannel } from "./protected-channel.js";
import { CHANNEL_TYPES, pay } from "./scenario.js";
import { busy, commitmentOn, rawOf, spliced, spliceIn, spliceOut } from "./splicing.js";

function onClose(p: ProtectedChannel) {
  const found = claimableBalances(p.state).find(({ kind }) => kind === "claimableOnChannelClose");
  assert.ok(found?.kind === "claimableOnChannelClose");
  return found;
}
const amounts = (p: ProtectedChannel): readonly bigint[] =>
  onClose(p).candidates.map(({ amountSat }) => amountSat);
const total = (p: ProtectedChannel): bigint => totalClaimableSat(claimableBalances(p.state));

const ADDED = 200_000n;

for (const channelType of CHANNEL_TYPES) {
  describe(`monitor core: views through splices of ${channelType}`, () => {
    it("one candidate a funding; the newest counts, or the one that is confirmed", async () => {
      const p = await protectedChannel({ channelType });
      await busy(p);
      const [before] = amounts(p);
      const base = must(before, "the only candidate");
      const first = await spliceIn(p, "holder", ADDED);
      await spliceIn(p, "holder", 2n * ADDED);
      assert.deepEqual(amounts(p), [base, base + ADDED, base + 2n * ADDED]);
      assert.equal(onClose(p).confirmedCandidate, 0);
      assert.equal(total(p), base + 2n * ADDED);
      p.mine(rawOf(first));
      assert.equal(onClose(p).confirmedCandidate, 1);
      assert.equal(total(p), base + ADDED);
      p.disconnect(1);
      assert.equal(onClose(p).confirmedCandidate, 0);
      p.mine(rawOf(first));
      p.mineEmpty(5);
      await p.channel.splices.lock(first);
      assert.deepEqual(amounts(p), [base + ADDED]);
      assert.equal(onClose(p).confirmedCandidate, 0);
    });

    it("a close counts with the commitment on the funding it spends", async () => {
      for (const onSplice of [false, true]) {
        const p = await protectedChannel({ channelType });
        await busy(p);
        const splice = await spliceOut(p, "holder", 100_000n);
        const scope = onSplice ? must(p.state.pendingFundings[0], "pending") : p.state;
        const { toLocalSat } = scope.holder;
        if (onSplice) p.mine(rawOf(splice));
        p.mine(commitmentOn(p, onSplice ? splice.funding : NOWHERE, "holder"));
        assert.ok(
          balancesOf(p).includes(`awaiting ${toLocalSat} @${p.height + 143} holderForceClosed`),
        );
        const start = accountedSat(p);
        assert.equal(start, toLocalSat + 30_000n + 40_000n, "to_local and both HTLCs");
        p.mineTo(p.height + 143);
        assert.equal(accountedSat(p), start);
      }
    });

    it("an old funding's commitments are no longer given once they cannot confirm", async () => {
      const p = await protectedChannel({ channelType });
      await busy(p);
      const old = p.state.counterparty;
      await spliced(p);
      assert.ok(counterpartyTx(p.ctx, p.state, old), "while a reorganisation could bring it back");
      p.mineEmpty(100);
      assert.equal(counterpartyTx(p.ctx, p.state, old), undefined);
    });

    it("justice is signed on each funding that its commitment may spend", async () => {
      const p = await protectedChannel({ channelType });
      await busy(p);
      const splice = await spliceIn(p, "holder", ADDED);
      const revoked = counterpartyCommitmentsInState(p.state);
      assert.equal(revoked.length, 2);
      await pay(p, { from: "holder", sat: 25_000, name: "newer" });
      const spent = new Set<string>();
      for (const commitment of revoked) {
        const found = must(counterpartyTx(p.ctx, p.state, commitment), "known");
        const { funding } = found.scope.parameters;
        spent.add(outpointKey(funding));
        const justice = buildJustice(p.ctx, p.state, found, {
          feeratePerKw: feeratePerKw(500),
          destinationScript: p.state.parameters.destinationScript,
        });
        assert.ok(justice.ok);
        const signer = seedSigner(p.ctx.curve, DEFAULT_SEEDS.holder, p.floors);
        const { channelKeysId } = p.state.parameters;
        const [signature] = signer.sign(channelKeysId, [justice.value.task]);
        const raw = justice.value.finish(must(signature, "signature"));
        const isOnSplice = outpointKey(funding) === outpointKey(splice.funding);
        const parents = isOnSplice ? [rawOf(splice)] : [];
        const { commitmentNumber } = commitment;
        const cheat = commitmentOn(p, funding, "counterparty", commitmentNumber);
        p.chain.mine([...parents, cheat]);
        assert.equal(p.chain.hindrance(raw), undefined);
        p.chain.disconnect(1);
      }
      assert.deepEqual(spent, new Set([outpointKey(NOWHERE), outpointKey(splice.funding)]));
    });

    it("a channel closed as never funded is kept while any funding of it is in the chain", async () => {
      const p = await protectedChannel({ channelType });
      const splice = await spliceOut(p, "holder", 100_000n);
      p.mine(rawOf(splice));
      await p.channel.forceClose("holder", false, "never_funded");
      assert.equal(archivalOf(p.state, false).kind, "notClosed");
    });
  });
}
