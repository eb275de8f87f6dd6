import assert from "node:assert/strict";
import { msat } from "@farwatch/protocol/amount";
import { must } from "@farwatch/protocol/assert";
import { fromHex } from "@farwatch/protocol/bytes";
import { CommandResult, Verdict } from "@farwatch/protocol/gen/manager/v1/manager_service";
import type { Link } from "./link.js";
import { forgetful, NOTHING, type NodeMemory } from "./memory.js";
import { HANDLED, HOLD, plainPolicy, type Policy } from "./policy.js";
import type { RoutingNode } from "./routing-node.js";
import { ScriptedManager } from "./testing/scripted-manager.js";
import { hops } from "./testing/two-hops.js";

const AMOUNT = msat(50_000_000);

async function two(policy?: Policy) {
  const { manager, node, links } = await hops(["ab", "bc"], policy);
  return { manager, node, ab: must(links[0], "ab"), bc: must(links[1], "bc") };
}

/** A new session with this memory and these verdicts; what the node named in it. */
async function restart(
  node: RoutingNode<ScriptedManager>,
  memory: NodeMemory | undefined,
  verdicts: readonly (readonly [Link, Verdict])[] = [],
) {
  const next = new ScriptedManager();
  for (const [link, verdict] of verdicts) next.verdict(link.channelId, verdict);
  let named: NodeMemory["cursors"] = [];
  await node.restart((cursors) => {
    named = cursors;
    return Promise.resolve(next);
  }, memory);
  return { next, named };
}

const claimOf = (link: Link, htlcId: bigint, preimage: Uint8Array) => ({
  $case: "command" as const,
  value: {
    command: {
      $case: "claimInbound" as const,
      value: {
        channelId: Buffer.from(fromHex(link.channelId)),
        htlcId,
        preimage: Buffer.from(preimage),
      },
    },
  },
});

const FAILED_PART = {
  paymentId: Buffer.alloc(32),
  paymentHash: Buffer.alloc(32),
  partKey: Buffer.alloc(32),
  pathSummary: Buffer.alloc(0),
};

const PAID = {
  $case: "userEvent" as const,
  value: {
    event: {
      $case: "paymentClaimed" as const,
      value: { paymentHash: Buffer.alloc(32), amountMsat: 1n },
    },
  },
};

describe("routing node: restarts", () => {
  it("names its channels as they are and knows what it forwarded", async () => {
    const { node, ab, bc } = await two();
    await node.forward(await node.receive(ab, AMOUNT), bc);
    const { named } = await restart(node, undefined);
    assert.deepEqual(
      named.map(({ lastUpdateId }) => lastUpdateId),
      [3n, 3n],
    );
    assert.deepEqual(node.undecidedInbound(), []);
  });

  it("keeps the holding cell; a forgetful node has none and would forward again", async () => {
    for (const forgets of [false, true]) {
      const { manager, node, ab, bc } = await two();
      const inbound = await node.receive(ab, AMOUNT);
      await node.forward(inbound, bc);
      ab.disconnect();
      manager.tell(claimOf(ab, inbound.htlc.id, inbound.secret.preimage));
      await node.handleItems();
      assert.equal(node.obeyed[0]?.result, CommandResult.QUEUED);
      await restart(node, forgets ? forgetful(node.memory()) : undefined);
      assert.equal(node.undecidedInbound().length, forgets ? 1 : 0);
      ab.reconnect();
      assert.equal(ab.sent.length, forgets ? 0 : 1);
    }
  });

  it("loses a fulfil that it had not committed, and sends it when it is told again", async () => {
    const { manager, node, ab, bc } = await two();
    const inbound = await node.receive(ab, AMOUNT);
    await node.forward(inbound, bc);
    const claim = claimOf(ab, inbound.htlc.id, inbound.secret.preimage);
    manager.tell(claim);
    await node.handleItems();
    const { next } = await restart(node, forgetful(node.memory()));
    assert.equal(ab.stageOf(inbound.htlc.id), "standing");
    next.tell(claim);
    await node.handleItems();
    assert.equal(node.obeyed.at(-1)?.result, CommandResult.SENT);
    await ab.settle();
    assert.equal(ab.stageOf(inbound.htlc.id), "gone");
  });

  it("does not forward again what the manager owns, whatever it remembers", async () => {
    const { node, ab, bc } = await two();
    const owned = await node.receive(ab, AMOUNT);
    const other = await node.receive(ab, AMOUNT);
    await node.forward(owned, bc);
    const next = new ScriptedManager();
    next.session = {
      ...next.session,
      ownedInbound: [
        {
          channelId: Buffer.from(fromHex(ab.channelId)),
          htlcId: owned.htlc.id,
          amountMsat: AMOUNT,
          userChannelId: undefined,
        },
      ],
    };
    await node.restart(() => Promise.resolve(next), forgetful(node.memory()));
    assert.deepEqual(
      node.undecidedInbound().map(({ htlc }) => htlc.id),
      [other.htlc.id],
    );
  });

  it("looks at the new items only of a connection that outlives its sessions", async () => {
    const { manager, node } = await two();
    manager.tell(PAID);
    await node.handleItems();
    await node.restart(() => Promise.resolve(manager));
    assert.equal(await node.handleItems(), 0);
    manager.tell(PAID, 1n);
    assert.equal(await node.handleItems(), 1);
    assert.equal(node.told[0]?.deliveries, 2);
  });

  it("may not touch a channel on which it is behind", async () => {
    const { node, ab, bc } = await two();
    const old = node.memory();
    const inbound = await node.receive(ab, AMOUNT);
    const { next, named } = await restart(node, old, [
      [ab, Verdict.NODE_BEHIND],
      [bc, Verdict.IN_SYNC],
    ]);
    assert.deepEqual(
      named.map(({ lastUpdateId }) => lastUpdateId),
      [0n, 0n],
    );
    await assert.rejects(ab.settle(), /may not use/);
    assert.throws(() => node.offer(node.plan(inbound, ab)), /may not use/);
    next.tell(claimOf(ab, inbound.htlc.id, inbound.secret.preimage));
    await node.handleItems();
    assert.equal(node.obeyed.at(-1)?.result, CommandResult.CHANNEL_CLOSED);
    await node.closeByMonitors(ab, "the node lost its state");
    assert.equal(next.calls.forceClose[0]?.overrideStale, false);
    assert.equal(bc.isUsable, true);
  });

  it("starts with nothing", async () => {
    const { node, ab } = await two();
    const { named } = await restart(node, NOTHING, [[ab, Verdict.CLOSED]]);
    assert.deepEqual(named, []);
    assert.equal(ab.isClosed, true);
  });
});

describe("routing node: what its user is told", () => {
  it("answers an event that comes again without asking its user again", async () => {
    const { manager, node } = await two();
    manager.tell(PAID);
    await node.handleItems();
    const { next } = await restart(node, undefined);
    next.tell(PAID);
    await node.handleItems();
    assert.deepEqual(
      node.told.map(({ deliveries, shown }) => [deliveries, shown]),
      [[2, 1]],
    );
    assert.deepEqual([manager.done.length, next.done.length], [1, 1]);
    assert.equal(node.eventsOf("paymentClaimed").length, 1);
    assert.equal(node.eventsOf("paymentSent").length, 0);
  });

  it("shows it again to a user who had not answered, or of a node that forgot", async () => {
    let answer = HOLD;
    const { manager, node } = await two({ ...plainPolicy, answer: () => answer });
    manager.tell(PAID);
    await node.handleItems();
    assert.deepEqual(manager.done, []);
    answer = HANDLED;
    const { next } = await restart(node, undefined);
    next.tell(PAID);
    await node.handleItems();
    const { next: last } = await restart(node, forgetful(node.memory()));
    last.tell(PAID);
    await node.handleItems();
    assert.deepEqual(
      node.told.map(({ deliveries, shown }) => [deliveries, shown]),
      [[3, 3]],
    );
    assert.deepEqual([next.done.length, last.done.length], [1, 1]);
  });

  it("goes on when the user's handler throws; the event can be answered later", async () => {
    const { manager, node } = await two({
      ...plainPolicy,
      answer: () => {
        throw new Error("the user's disk is full");
      },
    });
    manager.tell(PAID);
    manager.tell(PAID, 2n);
    assert.equal(await node.handleItems(), 2);
    assert.deepEqual(manager.done, []);
    await node.finish(must(node.told[1], "the second"), HANDLED);
    assert.deepEqual(manager.done, [{ itemId: 2n, answer: { $case: "handled", value: {} } }]);
  });

  it("says whether a probe arrived", async () => {
    const { manager, node } = await two();
    for (const arrived of [true, false]) {
      node.policy = { ...plainPolicy, answer: () => ({ kind: "probe", arrived }) };
      const value = { ...FAILED_PART, reason: undefined };
      manager.tell({
        $case: "userEvent",
        value: { event: { $case: "probeResult", value } },
      });
      await node.handleItems();
    }
    assert.deepEqual(
      manager.done.map(({ answer }) => answer?.$case),
      ["probeOk", "probeFailed"],
    );
  });

  it("gives a payment up at its first failure unless told to try again", async () => {
    const event = {
      $case: "paymentPathFailed" as const,
      value: { ...FAILED_PART, reason: undefined },
    };
    const { manager, node } = await two();
    manager.tell({ $case: "userEvent", value: { event } });
    await node.handleItems();
    assert.equal(manager.done[0]?.answer?.$case, "abandon");
    node.policy = { ...node.policy, answer: () => ({ kind: "retrying" }) };
    manager.tell({ $case: "userEvent", value: { event } });
    await node.handleItems();
    assert.equal(manager.done[1]?.answer?.$case, "retrying");
  });
});
