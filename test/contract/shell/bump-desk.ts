/**
 * A publisher over one protected channel of the core, with a wallet, a mempool and a disk in memory: what
 * the shell does about fees, without the rest of the shell.
 */
import assert from "node:assert/strict";
import { hash32, managerKey, outpointKey, type Txid } from "@farwatch/protocol/ids";
import {
  ChainUnavailable,
  type BroadcastRefusal,
  type BroadcastResult,
} from "@farwatch/monitor-service/chain/chain-source";
import type { BumpRequest } from "@farwatch/monitor-service/monitor/effect";
import { bumpRequests } from "@farwatch/monitor-service/monitor/bumps/bump-requests";
import { BumpBook } from "@farwatch/monitor-service/runtime/bumps/bump-book";
import type { ChannelEntry } from "@farwatch/monitor-service/runtime/monitors";
import { Publisher } from "@farwatch/monitor-service/runtime/publisher";
import type { BumpRow, StoreOp } from "@farwatch/monitor-service/store/store";
import { parseTx } from "@farwatch/monitor-service/tx/parsed-tx";
import { sat, type FeeratePerKw } from "@farwatch/protocol/amount";
import { seedSigner } from "../../harness/channel/seed-signer.js";
import { DEFAULT_SEEDS } from "../../harness/channel/setup.js";
import { COIN_SAT, FakeFeeWallet } from "../../harness/monitor-core/fake-fee-wallet.js";
import { secretNamed } from "../../harness/channel/test-channel.js";
import {
  feerates,
  protectedChannel,
  type ProtectedChannel,
} from "../../harness/monitor-core/protected-channel.js";
import { pay, type Payment } from "../../harness/monitor-core/scenario.js";

export const refused = (reason: BroadcastRefusal): BroadcastResult => ({
  kind: "refused",
  reason,
  message: reason,
});

export class BumpDesk {
  /** Each broadcast: one transaction, or a package. */
  readonly sent: (readonly Uint8Array[])[] = [];
  readonly warnings: string[] = [];
  /** In order: written rows, sent transactions. */
  readonly order: string[] = [];
  wallet = new FakeFeeWallet();
  hasWallet = true;
  /** Who spends an output in bitcoind's mempool, by outpoint key. */
  readonly mempool = new Map<string, Txid>();
  down = false;
  /** The operator's limit; taken up by the next restart. */
  maxFeerate: FeeratePerKw | undefined;
  /** Coins that somebody else has spent. */
  readonly goneCoins = new Set<string>();
  /** Answers to the next broadcasts; then all are accepted. */
  readonly answers: BroadcastResult[] = [];
  readonly disk = new Map<string, BumpRow>();
  readonly entry: ChannelEntry;
  publisher: Publisher;

  constructor(readonly p: ProtectedChannel) {
    this.entry = entryOf(p);
    this.publisher = this.#start();
  }

  /** A new process on the same disk. */
  restart(): void {
    this.publisher = this.#start();
  }

  /** Asks the publisher as a block does. */
  async block(...confirmed: readonly Uint8Array[]): Promise<void> {
    this.p.mine(...confirmed);
    this.publisher.newBlock();
    await this.ask();
  }

  async ask(): Promise<void> {
    this.entry.durable = this.p.state;
    this.publisher.request(this.entry);
    await this.publisher.idle();
  }

  get requests(): readonly BumpRequest[] {
    return bumpRequests(this.p.ctx, this.p.state);
  }

  get rows(): readonly BumpRow[] {
    return [...this.disk.values()];
  }

  /** The last transaction of the newest broadcast, or of one before. */
  last(back = 1): Uint8Array {
    const raw = this.sent.at(-back)?.at(-1);
    assert.ok(raw !== undefined, "sent");
    return raw;
  }

  /** bitcoind keeps what was sent last. */
  enterMempool(raw: Uint8Array): void {
    const { txid, inputs } = parseTx(raw);
    for (const { outpoint } of inputs) this.mempool.set(outpointKey(outpoint), txid);
  }

  #start(): Publisher {
    const rows = this.rows;
    const book = new BumpBook(async (ops) => {
      for (const op of ops) this.#write(op);
    }, rows);
    const send = async (rawTxs: readonly Uint8Array[]): Promise<BroadcastResult> => {
      this.#answering();
      this.sent.push(rawTxs);
      this.order.push("sent");
      return this.answers.shift() ?? { kind: "accepted" };
    };
    return new Publisher({
      context: { ...this.p.ctx, maxFeerate: this.maxFeerate },
      signer: seedSigner(this.p.ctx.curve, DEFAULT_SEEDS.holder, this.p.floors),
      source: {
        broadcast: (raw) => send([raw]),
        broadcastPackage: send,
        mempoolSpender: async (outpoint) => {
          this.#answering();
          return this.mempool.get(outpointKey(outpoint));
        },
        confirmedOutput: async (outpoint) =>
          this.goneCoins.has(outpointKey(outpoint))
            ? undefined
            : { valueSat: sat(COIN_SAT), scriptPubkey: new Uint8Array(22) },
      },
      log: {
        info: () => undefined,
        warn: (fields) => void this.warnings.push(String(fields["cause"])),
        error: (_, message) => assert.fail(message),
      },
      wallet: this.hasWallet ? this.wallet : undefined,
      book,
      claimRefused: async () => undefined,
    });
  }

  #answering(): void {
    if (this.down) throw new ChainUnavailable("down");
  }

  #write(op: StoreOp): void {
    if (op.op === "putBump") {
      this.disk.set(op.row.bumpId, op.row);
      this.order.push("written");
    } else {
      assert.equal(op.op, "deleteBump");
      if (op.op === "deleteBump") this.disk.delete(op.bumpId);
    }
  }
}

const entryOf = (p: ProtectedChannel): ChannelEntry => ({
  kind: "full",
  channelNo: 1,
  channelId: p.channel.channelId,
  managerKey: managerKey("11".repeat(32)),
  watchHash: hash32("22".repeat(32)),
  firstCounterpartyCommitments: [p.initial.counterparty],
  state: p.state,
  durable: p.state,
  headRowId: 0,
  rowsSinceSnapshot: 0,
  lastEventHash: undefined,
  pending: new Map(),
  halt: undefined,
  keptPreimages: new Set(),
});

/** Of every block after the close. */
const HIGH = feerates(2_000);
const DEFAULT_VALUES = [30_000, 20_000, 40_000];

/** Our commitment with received HTLCs whose preimages we have, broadcast and not confirmed. */
export async function closing(values: readonly number[] = DEFAULT_VALUES): Promise<BumpDesk> {
  const p = await protectedChannel({ channelType: "anchors_zero_fee_htlc" });
  const payments: readonly Payment[] = values.map((value, index) => ({
    from: "counterparty",
    sat: value,
    name: `theirs ${index}`,
  }));
  const htlcs = await pay(p, ...payments);
  for (const [index, { source }] of htlcs.entries()) {
    p.learn(secretNamed(`theirs ${index}`).preimage, source.sourceKey);
  }
  await p.channel.forceClose("holder", true);
  p.feerates = HIGH;
  return new BumpDesk(p);
}

export const inputsOf = (raw: Uint8Array): readonly string[] =>
  parseTx(raw).inputs.map(({ outpoint }) => outpointKey(outpoint));
