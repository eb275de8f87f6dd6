/** Forwards and claims through the whole shell: what the node is asked, told, and shown. */
import assert from "node:assert/strict";
import { msat } from "@farwatch/protocol/amount";
import { must } from "@farwatch/protocol/assert";
import { fromHex } from "@farwatch/protocol/bytes";
import {
  ForwardState,
  PaymentState,
  Role,
  type Forward,
  type OpenNodeSessionResponse,
} from "@farwatch/protocol/gen/manager/v1/manager_service";
import { htlcId, paymentId, type ChannelId } from "@farwatch/protocol/ids";
import type { UpdateStep } from "@farwatch/protocol/update";
import type { DoneAnswer } from "../manager/input.js";
import {
  claimOf,
  committed,
  failOf,
  forwardKey,
  forwardOf,
  IN,
  incoming,
  OUT,
  paymentHashOf,
  probeOn,
  type TestHtlc,
} from "../manager/testing/htlcs.js";
import {
  byte,
  counterparty,
  NODE,
  revoke,
  secretOf,
  STORE_A,
  STORE_B,
} from "../manager/testing/scene.js";
import { Bench, settle, WHO, type ToldItems } from "./testing/bench.js";

const UP = incoming(IN, 4);
const DOWN = forwardOf(UP, OUT, 9);
const LOCATOR = {
  channelId: Buffer.from(fromHex(IN)),
  htlcId: 4n,
  amountMsat: UP.amountMsat,
  userChannelId: undefined,
};

/** As it stands while the HTLC is forwarded. */
const nodeChannel = (on: ChannelId, lastUpdateId: bigint, revokedCommitments: bigint) => ({
  channelId: Buffer.from(fromHex(on)),
  lastUpdateId,
  holderCommitmentNumber: 0n,
  counterpartyCommitmentNumber: 1n,
  revokedCommitments,
});

const signed = (number: number, ...htlcs: readonly TestHtlc[]): UpdateStep => ({
  kind: "latestCounterpartyCommitment",
  commitment: counterparty(number, htlcs.map(committed)),
  pending: [],
});

describe("forwards in the shell", () => {
  let bench: Bench;
  let epoch: bigint;
  beforeEach(async () => {
    bench = new Bench();
    epoch = 0n;
    await bench.start();
  });
  afterEach(() => bench.remove());

  async function session(role = Role.MANAGER_RESOLVES): Promise<OpenNodeSessionResponse> {
    epoch += 1n;
    const nodeKey = Buffer.from(fromHex(NODE));
    const channels = epoch === 1n ? [] : [nodeChannel(IN, 2n, 1n), nodeChannel(OUT, 1n, 0n)];
    const request = { nodeKey, nodeEpoch: epoch, role, ldkVersion: undefined, channels };
    const opened = await bench.host.openSession(WHO, request);
    assert.ok(opened.ok);
    return opened.value;
  }
  const subscribed = async (): Promise<ToldItems> => {
    const { items } = bench.subscribe();
    await settle();
    return items;
  };
  /** Removed from the counterparty's commitments. */
  const remove = async (durably = true): Promise<void> => {
    await update(IN, 3, signed(2));
    await bench.update(4, [revoke(1)], IN);
    if (durably) await bench.durable(4, IN);
  };
  const update = async (on: ChannelId, id: number, ...steps: readonly UpdateStep[]) => {
    await bench.update(id, steps, on);
    await bench.durable(id, on);
  };
  /** C's HTLC stands on A's: both are committed on both sides. */
  async function forwarding(role?: Role): Promise<void> {
    await session(role);
    await bench.opened(IN);
    await bench.opened(OUT);
    await update(IN, 1, signed(1, UP));
    await update(IN, 2, revoke(0));
    await update(OUT, 1, signed(1, DOWN));
  }
  const answer = async (items: ToldItems, key: string, given: DoneAnswer): Promise<void> => {
    const item = must(
      items.items.find(({ semanticKey }) => semanticKey === key),
      key,
    );
    const done = await bench.host.done(WHO, [{ itemId: item.itemId, answer: given }]);
    assert.ok(done.ok);
  };
  const recorded = async (): Promise<void> => {
    const record = { channelId: IN, paymentHash: paymentHashOf(UP), preimage: secretOf(1) };
    const stored = [{ ...record, sourceKey: undefined }];
    await bench.a.host.preimagesStored(bench.a, STORE_A, stored);
    await bench.b.host.preimagesStored(bench.b, STORE_B, stored);
  };
  const only = async (): Promise<Forward> => {
    const found = await bench.host.forwards(WHO, undefined, 10);
    assert.equal(found.length, 1);
    return must(found[0], "a forward").forward;
  };
  const KEY = forwardKey(UP);
  const COMMAND = `claim-inbound/${IN}/${"4".padStart(20, "0")}`;
  const FORWARDED = `payment-forwarded/${KEY}`;

  it("asks for the claim until the removal is durable, and says what is still missing", async () => {
    await forwarding();
    assert.equal((await only()).whyUnresolved, "an outbound HTLC is not resolved");
    await bench.a.event(claimOf(DOWN), undefined, OUT);
    assert.deepEqual((await subscribed()).keys, [], "the preimage is durable nowhere");
    await recorded();
    const items = await subscribed();
    assert.deepEqual([...items.keys].sort(), [COMMAND, FORWARDED]);
    await answer(items, COMMAND, { kind: "command", result: "sent" });
    await answer(items, FORWARDED, { kind: "handled" });
    assert.deepEqual((await subscribed()).keys, [], "answered in this session");
    assert.match((await only()).whyUnresolved ?? "", /^inbound HTLC 4 .* not removed durably$/);
    await session();
    assert.deepEqual((await subscribed()).keys, [COMMAND], "asked again in the next one");
    assert.deepEqual(bench.a.acked, []);
    await remove();
    assert.equal((await only()).whyUnresolved, undefined);
    assert.equal(bench.a.acked.length, 1);
    await session();
    assert.deepEqual((await subscribed()).keys, []);
  });

  it("shows a forward with both sides, and pages after a key", async () => {
    await forwarding();
    await bench.a.event(claimOf(DOWN, msat(30)), undefined, OUT);
    const { prev, next, ...rest } = await only();
    assert.deepEqual(prev, [{ htlc: LOCATOR, settled: false, lost: false }]);
    const out = { channelId: Buffer.from(fromHex(OUT)), htlcId: 9n, userChannelId: undefined };
    const leg = { htlc: { ...out, amountMsat: DOWN.amountMsat }, state: PaymentState.SENT };
    assert.deepEqual(next, [leg]);
    assert.deepEqual(rest, {
      paymentHash: Buffer.from(fromHex(paymentHashOf(UP))),
      state: ForwardState.CLAIMED,
      intercepted: false,
      trampoline: false,
      claimFromOnchain: true,
      skimmedFeeMsat: 30n,
      whyUnresolved: `inbound HTLC 4 of channel ${IN} is not removed durably`,
    });
    assert.deepEqual(await bench.host.forwards(WHO, KEY, 10), []);
    const stranger = { ...WHO, nodeKey: byte(0x03, 33) };
    assert.deepEqual(await bench.host.forwards(stranger, undefined, 10), []);
  });

  it("waits for PaymentForwarded to be handled, and says so", async () => {
    await forwarding();
    await bench.a.event(claimOf(DOWN), undefined, OUT);
    await recorded();
    await remove();
    assert.equal((await only()).whyUnresolved, `the node has not handled ${FORWARDED}`);
  });

  it("names a session's owned inbound HTLCs until they are removed durably", async () => {
    await forwarding();
    assert.deepEqual((await session()).ownedInbound, [LOCATOR], "its forward is alive");
    await bench.a.event(failOf(DOWN), undefined, OUT);
    assert.deepEqual((await session()).ownedInbound, [LOCATOR], "decided, not removed");
    await remove(false);
    assert.deepEqual((await session()).ownedInbound, [LOCATOR], "removed, not durably");
    await bench.durable(4, IN);
    assert.deepEqual((await session()).ownedInbound, []);
  });

  it("leaves a forward to the node that resolves by itself", async () => {
    await forwarding(Role.NODE_RESOLVES);
    await bench.a.event(claimOf(DOWN), undefined, OUT);
    await recorded();
    const items = (await subscribed()).items.map(({ item }) => item?.$case);
    assert.deepEqual(items, ["monitorEvent"], "no command, no PaymentForwarded");
    const { state, whyUnresolved } = await only();
    assert.deepEqual([state, whyUnresolved], [ForwardState.CLAIMED, undefined]);
    assert.deepEqual((await session(Role.NODE_RESOLVES)).ownedInbound, [LOCATOR]);
  });

  it("takes the fast path: the preimage goes out before any commitment says so", async () => {
    await forwarding();
    const { sourceKey } = DOWN.source;
    const known = { preimage: secretOf(1), skimmedFeeMsat: msat(7), attributionData: undefined };
    const fulfilled = { channelId: OUT, sourceKey, ...known };
    const wrong = await bench.host.htlcFulfilled(WHO, { ...fulfilled, preimage: secretOf(2) });
    assert.equal(!wrong.ok && wrong.error.reason, "preimageMismatch");
    assert.ok((await bench.host.htlcFulfilled(WHO, fulfilled)).ok);
    assert.deepEqual(
      bench.a.preimages.map(({ channelId }) => channelId),
      [IN],
    );
    const { skimmedFeeMsat, claimFromOnchain } = await only();
    assert.deepEqual([skimmedFeeMsat, claimFromOnchain], [7n, false]);
  });

  it("claims for the payee when the preimage is durable, and refuses a part with another amount", async () => {
    await session();
    await bench.opened(IN);
    await update(IN, 1, signed(1, UP));
    const part = { channelId: IN, htlcId: htlcId(4), amountMsat: UP.amountMsat };
    const request = { paymentHash: paymentHashOf(UP), preimage: secretOf(1), parts: [part] };
    const other = { ...request, parts: [{ ...part, amountMsat: msat(1) }] };
    const refused = await bench.host.claimPayment(WHO, other);
    assert.equal(!refused.ok && refused.error.reason, "malformed");
    assert.ok((await bench.host.claimPayment(WHO, request)).ok);
    assert.deepEqual((await subscribed()).keys, []);
    await recorded();
    const kinds = (await subscribed()).items.map(({ item }) =>
      item?.$case === "command" ? item.value.command?.$case : item?.$case,
    );
    assert.deepEqual(kinds.sort(), ["claimInbound", "userEvent"]);
  });

  it("tells what a probe came to by the node's own answer", async () => {
    const probe = probeOn(OUT, 8);
    await session();
    await bench.opened(OUT);
    const registered = { paymentId: paymentId(byte(8)), paymentHash: paymentHashOf(probe) };
    const amount = { totalMsat: probe.amountMsat, isProbe: true };
    assert.ok((await bench.host.registerPayment(WHO, { ...registered, ...amount })).ok);
    await update(OUT, 1, signed(1, probe));
    await bench.a.event(failOf(probe), undefined, OUT);
    const items = await subscribed();
    const result = `probe-result/${probe.source.sourceKey}`;
    assert.deepEqual(items.keys, [result]);
    await answer(items, result, { kind: "probe", succeeded: true });
    await settle();
    const [, outcome] = items.items.map(({ item }) => item);
    assert.ok(outcome?.$case === "userEvent");
    assert.equal(outcome.value.event?.$case, "probeSuccessful");
    const [payment] = await bench.host.payments(WHO, undefined, 10);
    assert.equal(payment?.isProbe, true);
  });
});
