/**
 * Watchtower calls over a whole host: commitments by number, txid and update, from memory and from the
 * update log, and justice transactions that only a revoked one gives.
 */
import assert from "node:assert/strict";
import { Transaction } from "bitcoinjs-lib";
import { msat } from "@farwatch/protocol/amount";
import { must } from "@farwatch/protocol/assert";
import { fromHex, toHex } from "@farwatch/protocol/bytes";
import type {
  BuildJusticeTransactionRequest,
  BuildJusticeTransactionResponse,
  CommitmentName,
  GetCounterpartyCommitmentResponse,
  MonitorServiceClient,
} from "@farwatch/protocol/gen/monitor/v1/monitor_service";
import { txidFromInternal, txidToInternal, type Txid } from "@farwatch/protocol/ids";
import { spendFailure } from "@farwatch/monitor-service/tx/testing/script-check";
import type { Channel } from "../../harness/channel/channel.js";
import { offer } from "../../harness/channel/test-channel.js";
import { World } from "../shell/world.js";
import { Bench, call, createCertificates, failing, type Certificates } from "./bench.js";

const FLOOR = 253;
const ELSEWHERE = Buffer.from([0, 20, ...new Uint8Array(20).fill(0x77)]);

describe("MonitorService, watchtower calls", function () {
  this.timeout(60_000);
  let certificates: Certificates;
  let bench: Bench;
  let world: World;
  let client: MonitorServiceClient;
  before(async () => {
    certificates = await createCertificates();
  });
  after(() => certificates.remove());
  const serve = async (admin: boolean): Promise<void> => {
    await bench.close();
    client = bench.client(await bench.serve(world.host, { who: { ...world.manager.who, admin } }));
  };
  beforeEach(async () => {
    world = await World.start();
    bench = new Bench(certificates);
    await serve(false);
  });
  afterEach(async () => {
    await bench.close();
    await world.end();
  });

  const number = (value: number): CommitmentName => ({
    by: { $case: "commitmentNumber", value: BigInt(value) },
  });
  const txid = (value: Txid): CommitmentName => ({
    by: { $case: "txid", value: Buffer.from(txidToInternal(value)) },
  });
  const update = (value: number): CommitmentName => ({
    by: { $case: "updateId", value: BigInt(value) },
  });

  const show = async (channel: Channel, commitment: CommitmentName | undefined) => {
    const channelId = Buffer.from(fromHex(channel.channelId));
    const { commitments } = await call<GetCounterpartyCommitmentResponse>((done) =>
      client.getCounterpartyCommitment({ channelId, commitment }, done),
    );
    return commitments;
  };
  const justice = (
    channel: Channel,
    commitment: CommitmentName,
    fields: Partial<BuildJusticeTransactionRequest> = {},
  ): Promise<BuildJusticeTransactionResponse> =>
    call((done) =>
      client.buildJusticeTransaction(
        {
          channelId: Buffer.from(fromHex(channel.channelId)),
          commitment,
          feeratePerKw: FLOOR,
          destinationScript: Buffer.alloc(0),
          ...fields,
        },
        done,
      ),
    );
  const reason = async (work: Promise<unknown>): Promise<string | undefined> =>
    (await failing(work)).refusal?.reason;

  /** Commitments 0 to 3 of the counterparty, the last one not revoked. */
  async function used(): Promise<Channel> {
    const channel = await world.open();
    for (const name of ["one", "two", "three"]) {
      offer(channel, "holder", 20_000, name);
      await channel.settle();
    }
    return channel;
  }

  it("find every commitment by its number and its txid, after a restart too", async () => {
    const channel = await used();
    const newest = channel.commitment("counterparty").number;
    for (const restarted of [false, true]) {
      if (restarted) {
        await world.restart();
        await serve(false);
      }
      for (let at = 0; at <= newest; at++) {
        const { built } = channel.commitment("counterparty", at);
        for (const name of [number(at), txid(built.txid)]) {
          const [found, ...more] = await show(channel, name);
          assert.deepEqual(more, []);
          assert.equal(toHex(must(found, "found").unsignedTx), toHex(built.tx.toBuffer()));
          assert.equal(found?.revoked, at < newest);
          assert.equal(found.commitment?.commitmentNumber, BigInt(at));
          assert.equal(found.toLocal?.vout, built.toLocalIndex);
        }
      }
    }
  });

  it("find what an update carried, and nothing for one that carried none", async () => {
    const channel = await used();
    const seen: string[] = [];
    const last = must(world.manager.heads.get(channel.channelId), "head").id;
    for (let id = 1; id <= last; id++) {
      const request = show(channel, update(id));
      try {
        const found = await request;
        seen.push(...found.map(({ commitment }) => String(commitment?.commitmentNumber)));
      } catch {
        assert.equal(await reason(request), "commitmentUnknown");
      }
    }
    assert.deepEqual(seen, ["1", "2", "3"]);
  });

  it("refuse what is not there, and names that are none", async () => {
    const channel = await used();
    const unknown = channel.commitment("holder").built.txid;
    assert.equal(await reason(show(channel, number(99))), "commitmentUnknown");
    assert.equal(await reason(show(channel, txid(unknown))), "commitmentUnknown");
    assert.equal(await reason(show(channel, undefined)), "malformed");
    const short: CommitmentName = { by: { $case: "txid", value: Buffer.alloc(31) } };
    assert.equal(await reason(show(channel, short)), "wrongLength");
    const edge: CommitmentName = { by: { $case: "commitmentNumber", value: 2n ** 48n } };
    assert.equal(await reason(show(channel, edge)), "rangeExceeded");
    const last: CommitmentName = { by: { $case: "commitmentNumber", value: 2n ** 48n - 1n } };
    assert.equal(await reason(show(channel, last)), "commitmentUnknown");
  });

  it("sign justice for a revoked commitment, to the channel's destination", async () => {
    const channel = await used();
    const before = await world.rows();
    const { built } = channel.commitment("counterparty", 1);
    const made = await justice(channel, number(1));
    const tx = Transaction.fromBuffer(made.transaction);
    assert.equal(tx.getId(), txidFromInternal(made.txid));
    const { script, value } = must(built.tx.outs[built.toLocalIndex ?? -1], "to_local");
    assert.equal(spendFailure(tx, 0, { script, value }), undefined);
    assert.equal(tx.outs[0]?.value, made.valueSat);
    assert.equal(made.valueSat + made.feeSat, value);
    const { destinationScript } = channel.setup.sides.holder.party.identity;
    assert.equal(toHex(tx.outs[0].script), toHex(destinationScript));
    assert.deepEqual(await world.rows(), before, "nothing is stored");
    assert.deepEqual(world.chain.broadcasts, [], "nothing is sent");
  });

  it("refuse justice for what is not revoked, below the floor, and above the output", async () => {
    const channel = await used();
    assert.equal(await reason(justice(channel, number(3))), "notRevoked");
    const name = number(0);
    assert.equal(
      await reason(justice(channel, name, { feeratePerKw: FLOOR - 1 })),
      "rangeExceeded",
    );
    const most = 0xffffffff;
    assert.equal(await reason(justice(channel, name, { feeratePerKw: most })), "nothingToClaim");
  });

  it("let only an admin choose another destination", async () => {
    const channel = await used();
    const asked = { destinationScript: ELSEWHERE };
    assert.equal(await reason(justice(channel, number(0), asked)), "notYourChannel");
    await serve(true);
    const made = await justice(channel, number(0), asked);
    const [output] = Transaction.fromBuffer(made.transaction).outs;
    assert.equal(toHex(must(output, "output").script), toHex(ELSEWHERE));
    const long = { destinationScript: Buffer.alloc(43) };
    assert.equal(await reason(justice(channel, number(0), long)), "wrongLength");
  });

  it("know nothing of an archived channel's log any more", async () => {
    const channel = await world.open({ opener: "counterparty", pushMsat: msat(0) });
    await channel.forceClose("holder", false, "gone");
    await world.mineEmpty(1);
    assert.equal(await reason(show(channel, number(0))), "channelArchived");
    assert.equal(await reason(justice(channel, number(0))), "channelArchived");
  });
});
