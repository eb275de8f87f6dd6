/**
 * A manager's own wallet pays (fees.wallet = "events"): requests over the event stream, answers by
 * SignBump. The whole host behind a real server; the wallet is played by the test, over the wire only.
 */
import assert from "node:assert/strict";
import type { ClientReadableStream } from "@grpc/grpc-js";
import { Transaction } from "bitcoinjs-lib";
import { sat } from "@farwatch/protocol/amount";
import { must } from "@farwatch/protocol/assert";
import { fromHex, toHex } from "@farwatch/protocol/bytes";
import type {
  BumpItem,
  BumpTransaction,
  CommitmentToBump,
  ForeignInput,
  HtlcsToClaim,
} from "@farwatch/protocol/bump";
import { bumpItemFromWire } from "@farwatch/protocol/convert/bump";
import type {
  MonitorServiceClient,
  SignBumpRequest,
  StreamEventsResponse,
} from "@farwatch/protocol/gen/monitor/v1/monitor_service";
import {
  outpointKey,
  txidFromInternal,
  txidToInternal,
  type Outpoint,
} from "@farwatch/protocol/ids";
import { feeForWeight } from "@farwatch/protocol/bolt/weights";
import { spendFailure } from "@farwatch/monitor-service/tx/testing/script-check";
import type { Channel } from "../../harness/channel/channel.js";
import { offer, secretNamed } from "../../harness/channel/test-channel.js";
import { coinNamed } from "../../harness/monitor-core/fake-fee-wallet.js";
import { World } from "../shell/world.js";
import { Bench, call, createCertificates, failing, until, type Certificates } from "./bench.js";
import { psbtOf } from "./psbt-of.js";

const COIN_SAT = 500_000n;
const CHANGE = Uint8Array.from([0, 20, ...new Uint8Array(20).fill(0x77)]);
const COIN_WITNESS = [new Uint8Array(71).fill(1), new Uint8Array(33).fill(2)];
const NAMES = ["theirs 0", "theirs 1", "theirs 2"];

type Funded = NonNullable<SignBumpRequest["funded"]>;
const asTransaction = (tx: Transaction): Funded => ({
  $case: "transaction",
  value: Buffer.from(tx.toBuffer()),
});

describe("a manager's wallet that pays over the event stream", function () {
  this.timeout(60_000);
  let certificates: Certificates;
  let bench: Bench;
  let world: World;
  let client: MonitorServiceClient;
  before(async () => {
    certificates = await createCertificates();
  });
  after(() => certificates.remove());
  beforeEach(() => up({ asksManagers: true }));
  afterEach(down);

  async function up(fees: { readonly asksManagers: boolean }): Promise<void> {
    world = await World.start({ fees });
    bench = new Bench(certificates);
    client = bench.client(await bench.serve(world.host, { who: world.manager.who }));
  }
  async function down(): Promise<void> {
    await bench.close();
    await world.end();
  }

  /** Everything a stream brings about wallets, newest last. */
  class Requests {
    readonly items: BumpItem[] = [];
    beforeReplayEnd = 0;
    replayed = false;
    readonly #stream: ClientReadableStream<StreamEventsResponse>;

    constructor() {
      this.#stream = client.streamEvents({ epoch: world.manager.epoch });
      this.#stream.on("error", () => undefined); // the server stops at the end of the test
      this.#stream.on("data", ({ item }: StreamEventsResponse) => {
        if (item?.$case === "endOfReplay") this.replayed = true;
        if (item?.$case !== "bumpRequest") return;
        const read = bumpItemFromWire(item.value);
        assert.ok(read.ok);
        this.items.push(read.value);
        if (!this.replayed) this.beforeReplayEnd += 1;
      });
    }

    async next(count = this.items.length + 1): Promise<BumpItem> {
      await until(`${count} items`, () => this.items.length >= count);
      return must(this.items[count - 1], "an item");
    }
    async request(count?: number): Promise<BumpTransaction> {
      const item = await this.next(count);
      assert.ok("request" in item);
      return item.request;
    }
    close(): void {
      this.#stream.cancel();
    }
  }

  /** Our commitment with received HTLCs whose preimages we have. */
  async function closing(): Promise<Channel> {
    const channel = await world.open({ channelType: "anchors_zero_fee_htlc" });
    for (const name of NAMES) offer(channel, "counterparty", 30_000, name, 900);
    await channel.settle();
    const { channelId } = channel;
    const records = NAMES.map((name) => ({ channelId, preimage: secretNamed(name).preimage }));
    const put = world.manager.preimages(...records);
    assert.ok((await world.host.putPreimages(world.manager.who, put)).ok);
    await channel.forceClose("holder", true);
    await world.mineEmpty(1);
    return channel;
  }

  /** A coin of the wallet, confirmed in the monitor's chain. */
  function coin(vout: number, valueSat = COIN_SAT): Outpoint {
    const outpoint = coinNamed(vout);
    const output = { valueSat: sat(valueSat), scriptPubkey: CHANGE };
    world.chain.confirmedOutputs.set(outpointKey(outpoint), output);
    return outpoint;
  }

  function addCoin(tx: Transaction, outpoint: Outpoint, change: bigint): Transaction {
    tx.addInput(txidToInternal(outpoint.txid), outpoint.vout, 0xfffffffd);
    tx.setWitness(tx.ins.length - 1, COIN_WITNESS);
    tx.addOutput(CHANGE, change);
    return tx;
  }

  /** As the wallet builds it from what the request says. */
  function child(of: CommitmentToBump, outpoint: Outpoint, feeSat: bigint): Transaction {
    const tx = new Transaction();
    tx.version = of.childVersion;
    tx.addInput(txidToInternal(of.anchor.outpoint.txid), of.anchor.outpoint.vout, 0xfffffffd);
    return addCoin(tx, outpoint, of.anchor.valueSat + COIN_SAT - feeSat);
  }

  function claims(
    of: HtlcsToClaim,
    indices: readonly number[],
    outpoint: Outpoint,
    feeSat: bigint,
  ) {
    const tx = new Transaction();
    tx.version = of.version;
    tx.locktime = of.locktime;
    const alone = indices.map((index) =>
      Transaction.fromBuffer(must(of.htlcs[index], "HTLC").transaction),
    );
    for (const { ins } of alone)
      tx.addInput(must(ins[0], "in").hash, ins[0]?.index ?? 0, ins[0]?.sequence);
    for (const { outs } of alone) tx.addOutput(must(outs[0], "out").script, outs[0]?.value ?? 0n);
    return addCoin(tx, outpoint, COIN_SAT - feeSat);
  }

  const sign = async (
    channel: Channel,
    claimId: string,
    funded: Funded | undefined,
    epoch = world.manager.epoch,
  ): Promise<string> => {
    const channelId = Buffer.from(fromHex(channel.channelId));
    const request = { channelId, claimId: Buffer.from(fromHex(claimId)), funded, epoch };
    const { txid } = await call<{ readonly txid: Buffer }>((done) =>
      client.signBump(request, done),
    );
    return txidFromInternal(txid);
  };
  const sent = (): readonly Transaction[] =>
    world.chain.broadcasts.map((raw) => Transaction.fromBuffer(Buffer.from(raw)));

  function assertSpends(tx: Transaction, index: number, input: ForeignInput): void {
    const prevout = { script: input.scriptPubkey, value: input.valueSat };
    assert.equal(spendFailure(tx, index, prevout), undefined);
    assert.deepEqual(tx.ins[index]?.index, input.outpoint.vout);
  }

  it("asks for a child with all that a wallet needs, and sends the answer as a package", async () => {
    const channel = await closing();
    const requests = new Requests();
    const { claimId, of, targetFeerate } = await requests.request();
    assert.equal(requests.beforeReplayEnd, 1, "in the replay");
    assert.ok(of.kind === "commitment");
    const commitment = Transaction.fromBuffer(of.commitmentTx);
    assert.equal(of.anchor.outpoint.txid, commitment.getId());
    const output = must(commitment.outs[of.anchor.outpoint.vout], "anchor");
    assert.deepEqual([output.script, output.value], [of.anchor.scriptPubkey, of.anchor.valueSat]);

    const mine = child(of, coin(0), feeForWeight(targetFeerate, of.commitmentWeight + 800));
    const txid = await sign(channel, claimId, asTransaction(mine));
    assert.equal(txid, mine.getId());
    const [parent, completed] = sent().slice(-2);
    assert.ok(parent !== undefined && completed !== undefined);
    assert.deepEqual(parent.toBuffer(), commitment.toBuffer());
    assert.equal(completed.getId(), txid);
    assertSpends(completed, 0, of.anchor);
    assert.deepEqual(completed.ins[1]?.witness.map(toHex), COIN_WITNESS.map(toHex));
  });

  it("takes a PSBT whose coins are finalized", async () => {
    const channel = await closing();
    const { claimId, of } = await new Requests().request();
    assert.ok(of.kind === "commitment");
    const mine = child(of, coin(0), 20_000n);
    const txid = await sign(channel, claimId, { $case: "psbt", value: Buffer.from(psbtOf(mine)) });
    assert.equal(txid, mine.getId());
    const broken = failing(sign(channel, claimId, { $case: "psbt", value: Buffer.of(1, 2) }));
    assert.equal((await broken).refusal?.details["fault"], "unreadable");
  });

  it("asks again at a higher feerate, and takes the dearer answer in place of the first", async () => {
    const channel = await closing();
    const requests = new Requests();
    const first = await requests.request();
    assert.ok(first.of.kind === "commitment");
    await sign(channel, first.claimId, asTransaction(child(first.of, coin(0), 10_000n)));
    await world.mineEmpty(1);
    const second = await requests.request();
    assert.equal(second.claimId, first.claimId);
    assert.ok(second.targetFeerate > first.targetFeerate);
    assert.ok(second.of.kind === "commitment");
    const dearer = child(second.of, coin(0), 20_000n);
    assert.equal(await sign(channel, second.claimId, asTransaction(dearer)), dearer.getId());
    const { bumps } = await world.store.load();
    assert.equal(bumps.length, 1);
    world.chain.broadcasts.length = 0;
    await world.mineEmpty(1);
    assert.equal(sent().at(-1)?.getId(), dearer.getId(), "sent again as long as it is wanted");
  });

  it("sends what was signed again after a restart, and asks the new stream again", async () => {
    const channel = await closing();
    const requests = new Requests();
    const { claimId, of } = await requests.request();
    assert.ok(of.kind === "commitment");
    const txid = await sign(channel, claimId, asTransaction(child(of, coin(0), 20_000n)));
    requests.close();
    await bench.close();
    await world.restart();
    client = bench.client(await bench.serve(world.host, { who: world.manager.who }));
    const again = new Requests();
    await until("the replay", () => again.replayed);
    assert.equal(again.beforeReplayEnd, 1, "before the first block");
    assert.equal((await again.request(1)).claimId, claimId);
    world.chain.broadcasts.length = 0;
    await world.mineEmpty(1);
    assert.equal(sent().at(-1)?.getId(), txid);
  });

  it("asks a new stream for all channels after a restart, however slow bitcoind is", async () => {
    await closing();
    await closing();
    await bench.close();
    const { chain } = world;
    let answer: () => void = () => undefined;
    const slow = new Promise<void>((resolve) => (answer = resolve));
    chain.broadcast = async () => {
      await slow;
      return { kind: "accepted" };
    };
    await world.restart();
    client = bench.client(await bench.serve(world.host, { who: world.manager.who }));
    const again = new Requests();
    await until("the replay", () => again.replayed);
    assert.equal(again.beforeReplayEnd, 2, "one that is left out would be taken as over");
    answer();
  });

  it("says when the claim is over, and asks for the HTLCs, any of them in one transaction", async () => {
    const channel = await closing();
    const requests = new Requests();
    const { claimId, of } = await requests.request();
    assert.ok(of.kind === "commitment");
    await world.mine(of.commitmentTx);
    await requests.next(3);
    const [, ...news] = requests.items;
    assert.ok(news.some((item) => "ended" in item && item.ended === claimId));
    const [htlcs] = news.flatMap((item) => ("request" in item ? [item.request] : []));
    assert.ok(htlcs?.of.kind === "htlcs");
    assert.equal(htlcs.of.htlcs.length, NAMES.length);
    const two = claims(htlcs.of, [2, 0], coin(0), 5_000n);
    await sign(channel, htlcs.claimId, asTransaction(two));
    const completed = must(sent().at(-1), "sent");
    for (const [index, of] of [2, 0].entries()) {
      assertSpends(completed, index, must(htlcs.of.htlcs[of], "HTLC"));
    }
    const other = claims(htlcs.of, [1], coin(1), 3_000n);
    await sign(channel, htlcs.claimId, asTransaction(other));
    assert.equal((await world.store.load()).bumps.length, 2, "each is kept");
    const all = claims(htlcs.of, [0, 1, 2], coin(0), 12_000n);
    await sign(channel, htlcs.claimId, asTransaction(all));
    const { bumps } = await world.store.load();
    assert.deepEqual(
      bumps.map(({ rawTx }) => Transaction.fromBuffer(rawTx).getId()),
      [all.getId()],
      "one for all replaces both",
    );
  });

  it("refuses what it should not sign, and changes nothing", async () => {
    const channel = await closing();
    const { claimId, of } = await new Requests().request();
    assert.ok(of.kind === "commitment");
    const good = child(of, coin(0), 10_000n);
    const edited = (edit: (tx: Transaction) => void): Funded => {
      const tx = good.clone();
      edit(tx);
      return asTransaction(tx);
    };
    const before = await world.rows();
    const broadcasts = world.chain.broadcasts.length;
    const cases: readonly [string, Funded][] = [
      ["unreadable", { $case: "transaction", value: Buffer.of(1) }],
      ["changed", edited((tx) => void (tx.version = 3))],
      ["changed", edited((tx) => void tx.ins.reverse())],
      ["unsigned", edited((tx) => tx.setWitness(1, []))],
      ["overspent", edited((tx) => void (must(tx.outs[0], "change").value = 2n * COIN_SAT))],
      ["feeTooHigh", asTransaction(child(of, coin(0), of.maxFeeSat + 1n))],
      ["coinNotConfirmed", asTransaction(child(of, coinNamed(77), 10_000n))],
      ["otherInputs", edited((tx) => void tx.ins.pop())],
    ];
    for (const [fault, funded] of cases) {
      const { code, refusal } = await failing(sign(channel, claimId, funded));
      assert.equal(code, "FAILED_PRECONDITION");
      assert.deepEqual([refusal?.reason, refusal?.details["fault"]], ["fundingRefused", fault]);
    }
    const reasonOf = async (work: Promise<unknown>) => (await failing(work)).refusal?.reason;
    const funded = asTransaction(good);
    assert.equal(await reasonOf(sign(channel, "00".repeat(32), funded)), "claimUnknown");
    assert.equal(await reasonOf(sign(channel, claimId, funded, 9n)), "sessionNotOpen");
    assert.equal(await reasonOf(sign(channel, "00", funded)), "wrongLength");
    assert.equal(await reasonOf(sign(channel, claimId, undefined)), "malformed");
    world.chain.judge = () => ({ kind: "refused", reason: "insufficientFee", message: "too low" });
    const { refusal } = await failing(sign(channel, claimId, funded));
    assert.deepEqual(
      [refusal?.reason, refusal?.details["cause"]],
      ["notRelayed", "insufficientFee"],
    );
    world.chain.down = true;
    assert.equal(await reasonOf(sign(channel, claimId, funded)), "chainBehind");
    world.chain.down = false;
    assert.deepEqual(await world.rows(), before);
    assert.equal(world.chain.broadcasts.length, broadcasts + 2, "only the refused package");
  });

  it("lets no claim undo another by spending its coin", async () => {
    const [one, two] = [await closing(), await closing()];
    const requests = new Requests();
    const items = [await requests.request(1), await requests.request(2)];
    const [first, second] = items.map((item) => {
      assert.ok(item.of.kind === "commitment");
      return { claimId: item.claimId, of: item.of };
    });
    assert.ok(first !== undefined && second !== undefined);
    const owner = (txid: string) => (one.commitment("holder").built.txid === txid ? one : two);
    const of = (item: typeof first) => owner(item.of.anchor.outpoint.txid);
    await sign(of(first), first.claimId, asTransaction(child(first.of, coin(0), 10_000n)));
    const taken = sign(
      of(second),
      second.claimId,
      asTransaction(child(second.of, coin(0), 30_000n)),
    );
    const { refusal } = await failing(taken);
    assert.deepEqual(refusal?.details, {
      fault: "coinInUse",
      outpoint: outpointKey(coinNamed(0)),
    });
  });

  it("is not asked, nor answered, where the host pays by itself", async () => {
    await down();
    await up({ asksManagers: false });
    const channel = await closing();
    const requests = new Requests();
    await until("the replay", () => requests.replayed);
    assert.deepEqual(requests.items, []);
    const { refusal } = await failing(
      sign(channel, "00".repeat(32), { $case: "psbt", value: Buffer.of(1) }),
    );
    assert.equal(refusal?.reason, "notConfigured");
  });
});
