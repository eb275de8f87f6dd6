/** What RemoteWatch makes of a monitor's events, compared with what LDK's own monitor would have handed out. */
import assert from "node:assert/strict";
import { toHex } from "@farwatch/protocol/bytes";
import type { BumpTransactionEvent, SpendableOutputDescriptor } from "lightningdevkit";
import { ldk, loadLdk } from "../../fixture-recorder/ldk/module.js";
import type { NodeIdentity } from "../../harness/in-process-ldk/node.js";
import { bumpHandler } from "../../harness/in-process-ldk/paper-wallet.js";
import { mine, settle } from "../../harness/in-process-ldk/settle.js";
import { closedWithHtlcs } from "../../harness/in-process-ldk/closing.js";
import { closeStages } from "../../harness/in-process-ldk/stage.js";

const TO_SELF_DELAY = 144;
/** Blocks in which both HTLCs that A offered run out. */
const UNTIL_TIMED_OUT = 50;
/** Of h1's timeout, h3's success, and A's own balance. */
const OUTPUTS_OF_A = 3;
const SWEEP_FEERATE = 1_000;

describe("RemoteWatch: events of a channel that closes", function () {
  this.timeout(120_000);
  before(() => loadLdk());
  afterEach(closeStages);

  it("hands LDK the same MonitorEvents, and payments end", async () => {
    const { a, pair, h1, h2, remote, manager } = await closedWithHtlcs(false);
    for (let n = 0; n < 60 && !a.node.has(ldk.Event_PaymentFailed, h1); n++) await mine(pair, a, 1);
    assert.ok(a.node.has(ldk.Event_PaymentSent, h2));
    assert.ok(a.node.has(ldk.Event_PaymentFailed, h1));
    const told = remote.monitorEvents.map(({ hex }) => hex);
    assert.ok(told.length >= 3);
    assert.deepEqual([...a.handed].sort(), [...told].sort());
    assert.deepEqual(
      remote.monitorEvents.filter(({ itemId }) => !manager.done.includes(itemId)),
      [],
    );
    assert.deepEqual(a.alarms, []);
  });

  for (const anchors of [false, true]) {
    it(`gives SpendableOutputs that KeysManager sweeps, ${anchors ? "anchors" : "static"}`, async () => {
      const { a, pair, chain, remote, manager } = await closedWithHtlcs(anchors);
      const wallet = bumpHandler(a.identity, chain);
      const bumps: BumpTransactionEvent[] = [];
      const outputs: SpendableOutputDescriptor[] = [];
      const drain = () =>
        a.watch.processPendingEvents((event) => {
          if (event instanceof ldk.Event_SpendableOutputs) outputs.push(...event.outputs);
          if (!(event instanceof ldk.Event_BumpTransaction)) return;
          bumps.push(event.bump_transaction);
          wallet.handle_event(event.bump_transaction);
        });
      for (let n = 0; n < UNTIL_TIMED_OUT; n++) {
        await drain();
        await mine(pair, a, 1);
      }
      for (let n = 0; n < TO_SELF_DELAY; n++) pair.mine();
      await settle(pair, a);
      await drain();
      assert.equal(remote.spendable.length, OUTPUTS_OF_A);
      assert.deepEqual(
        outputs.map((one) => toHex(one.write())),
        remote.spendable,
      );
      assert.ok(sweep(a.identity, outputs).is_ok());
      compareBumps(bumps, remote.bumps);
      assert.equal(new Set(bumps.map(({ constructor }) => constructor)).size, anchors ? 2 : 0);
      await settle(pair, a);
      assert.deepEqual([...manager.items.values()], []);
      assert.deepEqual(a.alarms, []);
    });
  }
});

const sweep = ({ keys }: NodeIdentity, outputs: SpendableOutputDescriptor[]) =>
  keys
    .as_OutputSpender()
    .spend_spendable_outputs(
      outputs,
      [],
      Uint8Array.from([0x51, 0x20, ...new Uint8Array(32).fill(2)]),
      SWEEP_FEERATE,
      ldk.Option_u32Z.constructor_none(),
    );

/** Every event made is one LDK would have given, and every claim of LDK's was told. */
function compareBumps(
  made: readonly BumpTransactionEvent[],
  original: readonly BumpTransactionEvent[],
): void {
  const texts = new Set(original.map(textOf));
  for (const event of made) assert.ok(texts.has(textOf(event)), textOf(event));
  const claims = (events: readonly BumpTransactionEvent[]) =>
    [...new Set(events.map((event) => textOf(event).split("\n")[0]))].sort();
  assert.deepEqual(claims(made), claims(original));
}

/** Its claim, then every other field. */
function textOf(event: BumpTransactionEvent): string {
  if (event instanceof ldk.BumpTransactionEvent_HTLCResolution) {
    return [
      toHex(event.claim_id),
      toHex(event.channel_id.get_a()),
      toHex(event.counterparty_node_id),
      event.target_feerate_sat_per_1000_weight,
      event.tx_lock_time,
      ...event.htlc_descriptors.map((one) => toHex(one.write())),
    ].join("\n");
  }
  assert.ok(event instanceof ldk.BumpTransactionEvent_ChannelClose);
  const anchor = event.anchor_descriptor;
  return [
    toHex(event.claim_id),
    toHex(event.channel_id.get_a()),
    toHex(event.counterparty_node_id),
    event.package_target_feerate_sat_per_1000_weight,
    toHex(event.commitment_tx),
    event.commitment_tx_fee_satoshis,
    toHex(anchor.get_channel_derivation_parameters().write()),
    toHex(anchor.get_outpoint().write()),
    ...event.pending_htlcs.map((htlc) => toHex(htlc.write())),
  ].join("\n");
}
