/** Bump requests from links to subscriptions, and wallets' answers from the node to the link that asked. */
import assert from "node:assert/strict";
import type { Item } from "@farwatch/protocol/gen/manager/v1/event";
import { channelId, txid } from "@farwatch/protocol/ids";
import { refuse, type Reason } from "@farwatch/protocol/reasons";
import { err, ok } from "@farwatch/protocol/result";
import { byte, CHANNEL, claimed, sign } from "../manager/testing/scene.js";
import { Bench, settle, ToldItems, WHO, type ScriptedLink } from "./testing/bench.js";
import { claimOf, inWords, over, wanted } from "./testing/bump-items.js";

const STRANGER = { ...WHO, name: "other", nodeKey: `03${byte(0x44)}` };

/** Notes what had come before the replay ended, and takes items one at a time when told to. */
class Wallet extends ToldItems {
  beforeReplayDone: readonly string[] = [];
  gate: Promise<void> = Promise.resolve();

  get words(): readonly string[] {
    return this.items.map(inWords);
  }
  override async item(item: Item): Promise<void> {
    await super.item(item);
    await this.gate;
  }
  override replayDone(
    replayed: number,
    bumpsKnownOf: readonly string[],
    lastItemId: bigint,
  ): Promise<void> {
    this.beforeReplayDone = this.words;
    return super.replayDone(replayed, bumpsKnownOf, lastItemId);
  }
}

describe("bump requests in the manager", () => {
  let bench: Bench;
  beforeEach(async () => {
    bench = new Bench();
    await bench.start();
    await bench.opened();
  });
  afterEach(() => bench.remove());

  const asks = (link: ScriptedLink, ...items: readonly ReturnType<typeof wanted>[]): void => {
    for (const item of items) link.host.bump(link, item);
  };
  async function subscribe(who = WHO): Promise<Wallet> {
    const wallet = new Wallet();
    bench.host.subscribe(who, wallet);
    await settle();
    return wallet;
  }

  it("tells open ones behind the un-handled items and before ReplayDone, at every subscribe", async () => {
    await bench.update(1, [sign(1, [{ part: 1 }])]);
    await bench.a.event(claimed({ part: 1 }));
    asks(bench.a, wanted(1, 500));
    asks(bench.b, wanted(1, 400));
    for (let time = 0; time < 2; time++) {
      const wallet = await subscribe();
      assert.deepEqual(wallet.beforeReplayDone, ["something else", "a 01 500", "b 01 400"]);
      assert.equal(wallet.replayed, 1, "un-handled items");
    }
    assert.deepEqual((await subscribe(STRANGER)).words, [], "another node's");
  });

  it("tells live what replaces, and what has ended; to a new subscription neither", async () => {
    const wallet = await subscribe();
    asks(bench.a, wanted(1, 500));
    await settle();
    asks(bench.a, wanted(1, 600));
    await settle();
    asks(bench.b, wanted(1, 550));
    asks(bench.a, over(1));
    await settle();
    assert.deepEqual(wallet.words, ["a 01 500", "a 01 600", "b 01 550", "a 01 over"]);
    assert.deepEqual((await subscribe()).words, ["b 01 550"]);
  });

  it("says that those are over which a monitor's next replay leaves out", async () => {
    const { host } = bench.a;
    asks(bench.a, wanted(1, 500), wanted(2, 600));
    const wallet = await subscribe();
    host.disconnected(bench.a, "gone");
    host.connected(bench.a, bench.a.status().storeId);
    asks(bench.a, wanted(2, 600));
    await settle();
    assert.deepEqual(wallet.words.slice(2), ["a 02 600"], "and nothing before the replay ends");
    host.endOfReplay(bench.a, 0n);
    await settle();
    assert.deepEqual(wallet.words.slice(3), ["a 01 over"]);
  });

  it("tells a slow node the newest only, and nothing of what came and went meanwhile", async () => {
    const wallet = new Wallet();
    let open: () => void = () => undefined;
    wallet.gate = new Promise((resolve) => (open = resolve));
    bench.host.subscribe(WHO, wallet);
    await settle();
    asks(bench.a, wanted(1, 500));
    await settle();
    asks(bench.a, wanted(1, 600), wanted(1, 700), wanted(2, 500), over(2));
    await settle();
    assert.deepEqual(wallet.words, ["a 01 500"]);
    open();
    await settle();
    assert.deepEqual(wallet.words, ["a 01 500", "a 01 700"]);
  });

  it("are no items: Done does not know them, and nothing is counted as un-handled", async () => {
    asks(bench.a, wanted(1, 500));
    const [item] = (await subscribe()).items;
    assert.ok(item !== undefined);
    const answer = { kind: "handled" } as const;
    const done = await bench.host.done(WHO, [{ itemId: item.itemId, answer }]);
    assert.deepEqual(done, ok([0n]));
    assert.equal((await bench.host.info()).unhandledItems, 0);
    assert.deepEqual((await subscribe()).words, ["a 01 500"]);
  });

  it("are known again after a restart only from the monitors, and ReplayDone says from which", async () => {
    asks(bench.a, wanted(1, 500));
    await bench.stop();
    await bench.start();
    const replays = async () => {
      const { words, bumpsKnownOf } = await subscribe();
      return { words, bumpsKnownOf };
    };
    assert.deepEqual(await replays(), { words: [], bumpsKnownOf: [] }, "nothing is over by that");
    const { host } = bench.a;
    host.connected(bench.a, bench.a.status().storeId);
    asks(bench.a, wanted(1, 500));
    const words = ["a 01 500"];
    assert.deepEqual(await replays(), { words, bumpsKnownOf: [] }, "there may be more");
    host.endOfReplay(bench.a, 0n);
    assert.deepEqual(await replays(), { words, bumpsKnownOf: ["a"] });
    host.disconnected(bench.a, "gone");
    host.connected(bench.a, bench.a.status().storeId);
    assert.deepEqual(await replays(), { words, bumpsKnownOf: ["a"] }, "they stand meanwhile");
  });

  describe("SignBump", () => {
    const answer = {
      channelId: CHANNEL,
      claimId: claimOf(1),
      funded: { kind: "psbt", bytes: Uint8Array.of(1, 2) },
    } as const;
    const reasonOf = async (...call: Parameters<typeof bench.host.signBump>) => {
      const signed = await bench.host.signBump(...call);
      return signed.ok ? "signed" : signed.error.reason;
    };

    it("goes to the monitor that is named, and to no other", async () => {
      bench.b.bumpVerdict = ok(txid(byte(0x33)));
      assert.deepEqual(await bench.host.signBump(WHO, "b", answer), ok(txid(byte(0x33))));
      assert.deepEqual([bench.a.bumpAnswers, bench.b.bumpAnswers], [[], [answer]]);
    });

    it("is refused for other nodes' channels, unknown ones, and monitors of no such name", async () => {
      const unknown = { ...answer, channelId: channelId(byte(0x12)) };
      assert.equal(await reasonOf(STRANGER, "a", answer), "notYourChannel");
      assert.equal(await reasonOf(WHO, "a", unknown), "channelUnknown");
      assert.equal(await reasonOf(WHO, "c", answer), "claimUnknown");
      assert.deepEqual(bench.a.bumpAnswers, []);
    });

    it("brings back the monitor's own verdict with its details", async () => {
      for (const reason of [
        "claimUnknown",
        "fundingRefused",
        "notRelayed",
        "chainBehind",
      ] as const) {
        bench.a.bumpVerdict = err(refuse(reason, "said so", { fault: "unsigned" }));
        const refused = await bench.host.signBump(WHO, "a", answer);
        const details = { fault: "unsigned", monitor: "a" };
        assert.deepEqual(refused, err(refuse(reason, "said so", details)));
      }
    });

    it("is monitorUnreachable when the monitor has something against the manager", async () => {
      const about: readonly Reason[] = [
        "fenced",
        "sessionNotOpen",
        "notYourChannel",
        "channelUnknown",
      ];
      for (const reason of about) {
        bench.a.bumpVerdict = err(refuse(reason, "go away"));
        const refused = await bench.host.signBump(WHO, "a", answer);
        assert.ok(!refused.ok);
        const { details } = refused.error;
        assert.deepEqual([refused.error.reason, details["cause"]], ["monitorUnreachable", reason]);
      }
    });
  });
});
