/** A forward whose preimage the monitor learns on chain while its node is dead; then the node dies more often. */
import assert from "node:assert/strict";
import { must } from "@farwatch/protocol/assert";
import { ldk, loadLdk } from "../../fixture-recorder/ldk/module.js";
import { bumpHandler } from "../../harness/in-process-ldk/paper-wallet.js";
import { Line } from "../../harness/in-process-ldk/line.js";

const AMOUNT_MSAT = 30_000_000n;
/** B's delta and C's, without room for a shadow route. */
const MAX_TOTAL_DELTA = 79;
const MAX_POINTS = 60;

describe("RemoteWatch: a forward claimed on chain", function () {
  this.timeout(120_000);
  let line: Line | undefined;
  before(() => loadLdk());
  afterEach(() => line?.close());

  for (const anchors of [false, true]) {
    it(`is claimed upstream by a node that was dead, ${anchors ? "anchors" : "static"}`, async () => {
      const made = await Line.open(anchors);
      line = made;
      const { ab, bc, b } = made;
      bc.b.autoClaim = false;
      const hash = ab.pay(ab.a, bc.b, AMOUNT_MSAT, MAX_TOTAL_DELTA);
      await made.settle();
      assert.ok(bc.b.has(ldk.Event_PaymentClaimable, hash));
      await made.die();
      bc.b.bumper = bumpHandler(bc.b.identity, made.chain);
      bc.b.claim(hash);
      const [channel] = bc.b.manager.list_channels();
      const id = must(channel, "C's channel").get_channel_id();
      bc.b.manager.force_close_broadcasting_latest_txn(id, b.identity.id, "test");
      for (let n = 0; n < 4; n++) made.mine(false);
      assert.equal(made.remote.resolvedHtlcs, 1);
      // Every point of what it does when it is back, until it does nothing any more.
      let point = 0;
      for (await made.comeBack(); !(await livesPast(made, point)); point++) {
        assert.ok(point < MAX_POINTS, "it never ends");
        await made.die();
        await made.comeBack();
      }
      assert.ok(point >= 5, `${point} kills`);
      await made.settle();
      assert.equal(ab.a.count(ldk.Event_PaymentSent, hash), 1);
      assert.equal(ab.a.has(ldk.Event_PaymentFailed, hash), false);
      assert.deepEqual(b.alarms, []);
      assert.equal(b.node.manager.list_usable_channels().length, 1);
    });
  }
});

/** False: killed at this point. */
async function livesPast(made: Line, point: number): Promise<boolean> {
  let passed = 0;
  const isKilled = (): boolean => passed++ === point;
  for (let quiet = 0; quiet < 5;) {
    if (made.turn()) {
      quiet = 0;
      if (isKilled()) return false;
    } else quiet += 1;
    if (made.b.watch.needsSnapshot) {
      quiet = 0;
      const begun = made.b.beginSave();
      if (isKilled()) return false;
      made.b.disk = { manager: begun.manager, told: begun.snapshot.told };
      if (isKilled()) return false;
      made.b.watch.snapshotSaved(begun.snapshot);
      if (isKilled()) return false;
    }
    await new Promise((resolve) => setTimeout(resolve, 4));
  }
  return true;
}
