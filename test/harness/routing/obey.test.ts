import assert from "node:assert/strict";
import { msat } from "@farwatch/protocol/amount";
import { must } from "@farwatch/protocol/assert";
import { fromHex } from "@farwatch/protocol/bytes";
import { writeReason } from "@farwatch/protocol/convert/htlc-failure";
import { ClosureReason } from "@farwatch/protocol/gen/manager/v1/event";
import { CommandResult } from "@farwatch/protocol/gen/manager/v1/manager_service";
import type { HtlcFailReason } from "@farwatch/protocol/update";
import type { Link } from "./link.js";
import type { Command } from "./policy.js";
import type { Received } from "./routing-node.js";
import { hops } from "./testing/two-hops.js";

const AMOUNT = msat(50_000_000);
const REASON: HtlcFailReason = {
  cause: { kind: "onionError", packet: new Uint8Array(292).fill(7) },
  holdTime: 12,
  attributionData: new Uint8Array(8).fill(9),
};

const idOf = ({ channelId }: Link): Buffer => Buffer.from(fromHex(channelId));
const claim = ({ link, htlc, secret }: Received): Command => ({
  $case: "claimInbound",
  value: { channelId: idOf(link), htlcId: htlc.id, preimage: Buffer.from(secret.preimage) },
});
const fail = ({ link, htlc }: Received): Command => ({
  $case: "failInbound",
  value: { channelId: idOf(link), htlcId: htlc.id, reason: writeReason(REASON) },
});
const close = (link: Link, reason: ClosureReason): Command => ({
  $case: "channelClosed",
  value: { channelId: idOf(link), reason },
});

/** B received one HTLC; `command` gives what the node answered. */
async function received() {
  const { manager, node, links } = await hops(["ab"]);
  const inbound = await node.receive(must(links[0], "ab"), AMOUNT);
  const command = async (value: Command): Promise<CommandResult | undefined> => {
    manager.tell({ $case: "command", value: { command: value } });
    await node.handleItems();
    return node.obeyed.at(-1)?.result;
  };
  return { manager, node, ab: inbound.link, inbound, command };
}

describe("routing node: commands", () => {
  it("claims: A has the preimage, and the manager hears SENT", async () => {
    const { manager, ab, inbound, command } = await received();
    assert.equal(await command(claim(inbound)), CommandResult.SENT);
    assert.deepEqual(manager.done, [
      { itemId: 1n, answer: { $case: "commandResult", value: CommandResult.SENT } },
    ]);
    const { preimage } = inbound.secret;
    assert.deepEqual(ab.sent, [{ htlcId: inbound.htlc.id, kind: "claim", preimage }]);
    await ab.settle();
    assert.equal(ab.channel.commitment("counterparty").state.balanceMsat.holder, 550_000_000n);
  });

  it("fails with the raw reason and its hold time", async () => {
    const { ab, inbound, command } = await received();
    assert.equal(await command(fail(inbound)), CommandResult.SENT);
    assert.deepEqual(ab.sent, [{ htlcId: inbound.htlc.id, kind: "fail", reason: REASON }]);
  });

  it("answers the same command again as before, and another one as too late", async () => {
    const { ab, inbound, command } = await received();
    await command(claim(inbound));
    assert.equal(await command(claim(inbound)), CommandResult.SENT);
    assert.equal(await command(fail(inbound)), CommandResult.ALREADY_REMOVING);
    await ab.settle();
    assert.equal(await command(claim(inbound)), CommandResult.SENT);
    assert.equal(await command(fail(inbound)), CommandResult.NOT_FOUND);
    assert.equal(ab.sent.length, 1);
  });

  it("holds commands while the peer is away; a claim replaces a fail, never the other way", async () => {
    const { ab, inbound, command } = await received();
    ab.disconnect();
    assert.equal(await command(fail(inbound)), CommandResult.QUEUED);
    assert.equal(await command(claim(inbound)), CommandResult.QUEUED);
    assert.equal(await command(fail(inbound)), CommandResult.ALREADY_REMOVING);
    assert.deepEqual(ab.sent, []);
    ab.reconnect();
    assert.deepEqual(
      ab.sent.map(({ kind }) => kind),
      ["claim"],
    );
  });

  it("finds no HTLC that was never there, and no channel that is not its own", async () => {
    const { inbound, command } = await received();
    const { channelId, preimage } = claimValue(inbound);
    const unknown = { channelId, preimage, htlcId: 77n };
    const answer = await command({ $case: "claimInbound", value: unknown });
    assert.equal(answer, CommandResult.NOT_FOUND);
    const elsewhere = { ...unknown, channelId: Buffer.alloc(32, 9) };
    const nowhere = await command({ $case: "claimInbound", value: elsewhere });
    assert.equal(nowhere, CommandResult.NOT_FOUND);
  });

  it("closes once and tells the monitors; afterwards nothing is removed", async () => {
    for (const [reason, shouldBroadcast] of [
      [ClosureReason.COMMITMENT_TX_CONFIRMED, false],
      [ClosureReason.HTLC_DEADLINE, true],
    ] as const) {
      const { manager, ab, inbound, command } = await received();
      assert.equal(await command(close(ab, reason)), CommandResult.SENT);
      assert.equal(await command(close(ab, reason)), CommandResult.CHANNEL_CLOSED);
      assert.equal(await command(claim(inbound)), CommandResult.CHANNEL_CLOSED);
      await ab.closing;
      const closes = manager.stepsOf(ab.channelId).filter((s) => s.kind === "channelForceClosed");
      assert.deepEqual(
        closes.map((step) => step.shouldBroadcast),
        [shouldBroadcast],
      );
      assert.deepEqual(ab.sent, []);
    }
  });

  it("leaves a command alone when the policy says so", async () => {
    const { manager, node, ab, inbound, command } = await received();
    node.policy = { ...node.policy, obeys: () => false };
    await command(claim(inbound));
    assert.deepEqual([ab.sent, manager.done], [[], []]);
  });
});

function claimValue(inbound: Received) {
  const command = claim(inbound);
  assert.ok(command.$case === "claimInbound");
  return command.value;
}
