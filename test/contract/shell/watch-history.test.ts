/**
 * Watching a channel that was in use before: what the counterparty revoked then is punished, and its
 * next secret has to fit (WatchChannel, revoked_secrets; BOLT 3).
 */
import assert from "node:assert/strict";
import { Transaction } from "bitcoinjs-lib";
import { must } from "@farwatch/protocol/assert";
import { perCommitmentSecret } from "@farwatch/protocol/ids";
import type { InitialState, RevokedSecret } from "@farwatch/protocol/channel";
import type { Refusal } from "@farwatch/protocol/reasons";
import { broadcastableCommitment } from "../../harness/channel/broadcast.js";
import { createChannel, type Channel } from "../../harness/channel/channel.js";
import { offer, secretNamed, testChannelOptions } from "../../harness/channel/test-channel.js";
import { fundingTx } from "./funding.js";
import { World } from "./world.js";

describe("watching a channel that was in use", function () {
  this.timeout(120_000);
  let world: World;
  let channel: Channel;
  let watching: boolean;
  let revoked: RevokedSecret[];
  beforeEach(async () => {
    world = await World.start();
    watching = false;
    revoked = [];
    const plan = createChannel({
      ...testChannelOptions,
      curve: world.curve,
      onUpdate: async (steps) => {
        if (watching) await world.accept(channel.channelId, steps);
        else for (const step of steps) if (step.kind === "commitmentSecret") revoked.push(step);
      },
    });
    const funding = fundingTx(plan.fundingScriptPubkey, plan.setup.capacitySat);
    channel = plan.open(funding.outpoint);
    await world.mine(funding.raw);
    for (const name of ["one", "two", "three"]) {
      const htlc = offer(channel, "holder", 30_000, name);
      await channel.settle();
      await channel.fulfillHtlc(htlc, secretNamed(name).preimage);
      await channel.settle();
    }
    assert.ok(revoked.length >= 6);
  });
  afterEach(() => world.end());

  const initial = (revokedSecrets: readonly RevokedSecret[]): InitialState => ({
    ...channel.splices.stateNow("holder"),
    revokedSecrets: revokedSecrets.map(({ commitmentNumber, secret }) => ({
      commitmentNumber,
      secret,
    })),
  });
  const watch = async (secrets: readonly RevokedSecret[]): Promise<Refusal | undefined> => {
    const request = world.manager.watch(initial(secrets));
    const watched = await world.host.watchChannel(world.manager.who, request);
    watching = watched.ok;
    return watched.ok ? undefined : watched.error;
  };
  const spendKind = (): string | undefined => {
    const view = world.host.channel(world.manager.who, channel.channelId);
    assert.ok(view.ok);
    return view.value.state.spend?.kind;
  };

  it("punishes what was revoked before, also after it was used on and a restart", async () => {
    assert.equal(await watch(revoked), undefined);
    offer(channel, "counterparty", 20_000, "four");
    await channel.settle();
    await world.restart();
    const old = channel.commitment("counterparty", 2);
    await world.mine(broadcastableCommitment(channel, "counterparty", 2));
    assert.equal(spendKind(), "revoked");
    const toLocal = must(old.built.toLocalIndex, "to_local");
    const spent = world.chain.broadcasts
      .flatMap((raw) => Transaction.fromBuffer(Buffer.from(raw)).ins)
      .filter(({ hash }) => Buffer.from(hash).reverse().toString("hex") === old.built.txid)
      .map(({ index }) => index);
    assert.deepEqual(spent, [toLocal]);
  });

  it("knows those that the stored ones stand for, and no others", async () => {
    // Of the six revoked first, BOLT 3 keeps those of numbers 3, 4 and 5.
    assert.equal(await watch(revoked.slice(3, 6)), undefined);
    await world.mine(broadcastableCommitment(channel, "counterparty", 1));
    assert.equal(spendKind(), "revoked");
  });

  it("takes the channel without them for one whose past cannot be punished", async () => {
    assert.equal(await watch([]), undefined);
    await world.mine(broadcastableCommitment(channel, "counterparty", 1));
    assert.equal(spendKind(), "unknown");
  });

  it("refuses secrets that do not rise, are not revoked yet, or do not fit each other", async () => {
    const [first, second] = revoked;
    assert.ok(first !== undefined && second !== undefined);
    const current = channel.commitment("counterparty").number;
    const late = {
      ...first,
      commitmentNumber: initial([]).counterpartyCommitment.commitmentNumber,
    };
    assert.equal(late.commitmentNumber, current);
    for (const [secrets, reason, field] of [
      [[second, first], "malformed", "revoked_secrets[1]"],
      [[first, first], "malformed", "revoked_secrets[1]"],
      [[late], "malformed", "revoked_secrets[0]"],
      [
        [first, { ...second, secret: perCommitmentSecret(new Uint8Array(32).fill(5)) }],
        "invalidSecret",
        "revoked_secrets[1]",
      ],
    ] as const) {
      const refused = await watch(secrets);
      assert.deepEqual([refused?.reason, refused?.details["field"]], [reason, field]);
    }
    assert.equal((await world.store.load()).channels.length, 0);
  });
});
