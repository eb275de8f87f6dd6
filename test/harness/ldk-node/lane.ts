/**
 * One scenario with one channel type: opens channels, pays along them, waits, and in the end asks where every
 * satoshi went. It shares nodes and chain with other lanes and keeps to its own channels.
 */
import assert from "node:assert/strict";
import { must } from "@farwatch/protocol/assert";
import { until } from "../cluster/chain-facts.js";
import { accountsOf, type Accounts } from "./conservation.js";
import type { EventLog, Match } from "./event-log.js";
import type { LdkProcess } from "./ldk-process.js";
import type { Lockstep } from "./lockstep.js";
import { FORWARD_FEE_MSAT, type ChannelView } from "./protocol.js";
import { FUNDING_DEPTH, type LdkWorld } from "./world.js";

export const LANE_TYPES = ["static_remote_key", "anchors_zero_fee_htlc"] as const;
export type LaneType = (typeof LANE_TYPES)[number];

const DEFAULT_VALUE_SAT = 1_000_000n;
const DEFAULT_PUSH_MSAT = 400_000_000n;
/** The shortest final delta LDK takes is 22 or so; this leaves room to act. */
const DEFAULT_FINAL_DELTA = 40;
/** Rounding of each amount to whole satoshis, both ways. */
const TOLERANCE_SAT = 4n;
/** More than any delay, expiry and burial together. */
const MOST_BLOCKS = 420;
/** LDK takes at most 4 unconfirmed channels from a peer (MAX_UNFUNDED_CHANS_PER_PEER). */
const MOST_UNCONFIRMED = 4;
const SETTLE_CHUNK_BLOCKS = 8;

export interface Channel {
  readonly channelId: string;
  readonly scid: bigint;
  /** "txid:vout". */
  readonly funding: string;
  readonly opener: string;
  readonly acceptor: string;
  readonly valueSat: bigint;
  /** What belongs to whom, in msat; moved by payments that succeed. */
  readonly owes: Map<string, bigint>;
}

export interface Payment {
  readonly hash: string;
  readonly msat: bigint;
  readonly from: string;
  readonly to: string;
  /** Channel by channel, with the side that pays in it. */
  readonly legs: readonly { readonly channel: Channel; readonly from: string; msat: bigint }[];
  readonly invoice: string;
  readonly finalDelta: number;
}

export interface PaymentTerms {
  readonly msat: bigint;
  /** The payee claims only on command. */
  readonly hold?: boolean;
  readonly finalDelta?: number;
}

export interface ConservedOptions {
  /** See conservation.ts. */
  readonly payer?: string;
}

/** Shared by the lanes of one world. */
export interface LaneBook {
  /** Unconfirmed channels by "opener acceptor". */
  readonly unconfirmed: Map<string, number>;
  nextUserId: bigint;
  /** What every channel's end did to the wallets, summed. */
  readonly toWallets: Map<string, bigint>;
  /** Funding transactions, for the wallets' own sums. */
  readonly fundings: { readonly opener: string; readonly funding: string }[];
}

export class Lane {
  constructor(
    readonly type: LaneType,
    readonly world: LdkWorld,
    readonly pace: Lockstep,
    readonly book: LaneBook,
  ) {}

  node(name: string): LdkProcess {
    return this.world.node(name);
  }
  log(name: string): EventLog {
    return this.world.log(name);
  }

  async open(
    opener: string,
    acceptor: string,
    { valueSat = DEFAULT_VALUE_SAT, pushMsat = DEFAULT_PUSH_MSAT } = {},
  ): Promise<Channel> {
    const { book, pace, type } = this;
    const between = `${opener} ${acceptor}`;
    while ((book.unconfirmed.get(between) ?? 0) >= MOST_UNCONFIRMED) await pace.mine(1);
    book.unconfirmed.set(between, (book.unconfirmed.get(between) ?? 0) + 1);
    const userId = book.nextUserId++;
    const ask = { nodeId: this.node(acceptor).nodeId, valueSat, pushMsat, userId };
    await this.node(opener).call("open", { ...ask, anchors: type === "anchors_zero_fee_htlc" });
    const find = async (): Promise<ChannelView | undefined> =>
      (await this.node(opener).state()).channels.find((one) => one.userId === userId);
    let funding = "";
    await until("a funding transaction on its way", async () => {
      funding = (await find())?.funding ?? "";
      return funding !== "" && (await this.world.bitcoind.mempool()).includes(txidOf(funding));
    });
    await pace.mine(1);
    book.unconfirmed.set(between, must(book.unconfirmed.get(between), between) - 1);
    await pace.mine(FUNDING_DEPTH - 1);
    await this.untilUsable(funding, opener, acceptor);
    return this.adopt(must(await find(), "the channel"), { opener, acceptor, pushMsat });
  }

  /** A channel that is open, with nothing paid in it yet. */
  adopt(
    { channelId, scid, funding, valueSat }: ChannelView,
    { opener, acceptor, pushMsat }: { opener: string; acceptor: string; pushMsat: bigint },
  ): Channel {
    const point = must(funding, "a funding output");
    this.book.fundings.push({ opener, funding: point });
    return {
      channelId,
      scid: must(scid, "scid"),
      funding: point,
      opener,
      acceptor,
      valueSat,
      owes: new Map([
        [opener, valueSat * 1_000n - pushMsat],
        [acceptor, pushMsat],
      ]),
    };
  }

  async untilUsable(funding: string, ...names: readonly string[]): Promise<void> {
    for (const name of names) {
      await until(`${funding} is usable for ${name}`, async () => {
        return (await this.view(name, funding))?.usable === true;
      });
    }
  }

  async view(name: string, funding: string): Promise<ChannelView | undefined> {
    return (await this.node(name).state()).channels.find((one) => one.funding === funding);
  }

  /** Sends along these channels, starting at `from`. */
  async pay(from: string, via: readonly Channel[], terms: PaymentTerms): Promise<Payment> {
    const payment = await this.invoice(from, via, terms);
    await this.send(payment);
    return payment;
  }

  /** Everything but the sending. */
  async invoice(from: string, via: readonly Channel[], terms: PaymentTerms): Promise<Payment> {
    const { msat, hold = false, finalDelta = DEFAULT_FINAL_DELTA } = terms;
    let at = from;
    const legs = via.map((channel, index) => {
      const leg = {
        channel,
        from: at,
        msat: msat + BigInt(via.length - 1 - index) * FORWARD_FEE_MSAT,
      };
      at = at === channel.opener ? channel.acceptor : channel.opener;
      return leg;
    });
    const made = await this.node(at).call("invoice", { msat, finalDelta, hold });
    return { hash: made.paymentHash, invoice: made.invoice, msat, from, to: at, legs, finalDelta };
  }

  async send({ from, legs, invoice, msat, finalDelta }: Payment): Promise<void> {
    const path = legs.map(({ channel, from: payer }) => ({
      nodeId: this.node(payer === channel.opener ? channel.acceptor : channel.opener).nodeId,
      scid: channel.scid,
    }));
    await this.node(from).call("pay", { path, invoice, msat, finalDelta });
  }

  /** Payer, payee and those between were told of it once, and what it moved is in the books. */
  async settled(payment: Payment): Promise<void> {
    const match = { payment_hash: payment.hash };
    await this.log(payment.from).until("PaymentSent", match);
    await this.log(payment.to).until("PaymentClaimed", match);
    this.moved(payment);
    await this.quiet(payment.legs.map(({ channel }) => channel));
    await this.once(payment.from, "PaymentSent", match);
    await this.once(payment.to, "PaymentClaimed", match);
    await this.never(payment.from, "PaymentFailed", match);
  }

  moved({ legs }: Payment): void {
    for (const { channel, from, msat } of legs) {
      const to = from === channel.opener ? channel.acceptor : channel.opener;
      channel.owes.set(from, must(channel.owes.get(from), from) - msat);
      channel.owes.set(to, must(channel.owes.get(to), to) + msat);
    }
  }

  /** No HTLC is under way in these channels, and their nodes wait for nothing. */
  async quiet(channels: readonly Channel[]): Promise<void> {
    for (const { opener, acceptor, funding } of channels) {
      for (const name of [opener, acceptor]) {
        await until(`${funding} is quiet for ${name}`, async () => {
          const state = await this.node(name).state();
          const view = state.channels.find((one) => one.funding === funding);
          return (
            state.isQuiet && view !== undefined && view.inboundHtlcs + view.outboundHtlcs === 0
          );
        });
      }
    }
  }

  /** The payee has the HTLC and holds it. */
  async arrived({ to, hash, legs }: Payment): Promise<void> {
    await this.log(to).until("PaymentClaimable", { payment_hash: hash });
    for (const { channel } of legs) {
      for (const name of [channel.opener, channel.acceptor]) {
        await until(`${name} has no update under way`, async () => {
          return (await this.node(name).state()).isQuiet;
        });
      }
    }
  }

  /** The commitment, or whatever spends the funding output, is confirmed. */
  async spent({ funding }: Channel): Promise<boolean> {
    await this.world.index.update();
    return this.world.index.spenderOf(funding) !== undefined;
  }

  async told(name: string, type: string, { hash }: Payment): Promise<boolean> {
    return (await this.log(name).find(type, { payment_hash: hash })).length > 0;
  }

  async once(name: string, type: string, match: Match): Promise<void> {
    const found = await this.log(name).find(type, match);
    assert.equal(found.length, 1, `${type} ${JSON.stringify(match)} at ${name}`);
  }
  async never(name: string, type: string, match: Match): Promise<void> {
    const found = await this.log(name).find(type, match);
    assert.equal(found.length, 0, `${type} ${JSON.stringify(match)} at ${name}`);
  }

  /** ChannelClosed with this reason, once. */
  async closed(name: string, { channelId }: Channel, reasons: readonly string[]): Promise<void> {
    const event = await this.log(name).until("ChannelClosed", { channel_id: channelId });
    const reason = event["reason"];
    const text = typeof reason === "object" && reason !== null ? JSON.stringify(reason) : "";
    assert.ok(
      reasons.some((one) => text.includes(`"${one}"`)),
      `${name} closed with ${text}, not ${reasons.join(" or ")}`,
    );
    await this.once(name, "ChannelClosed", { channel_id: channelId });
  }

  /** Mines a few blocks at a time until it holds. */
  async mineUntil(
    what: string | (() => string),
    holds: () => Promise<boolean>,
    chunk = SETTLE_CHUNK_BLOCKS,
  ): Promise<void> {
    for (let mined = 0; !(await soon(holds)); mined += chunk) {
      const wanted = typeof what === "string" ? what : what();
      assert.ok(mined < MOST_BLOCKS, `not within ${mined} blocks: ${wanted}`);
      await this.pace.mine(chunk);
    }
  }

  /** Follows the channel to its end and compares what each side got with what it was owed. */
  async conserved(channel: Channel, options: ConservedOptions = {}): Promise<Accounts> {
    let accounts = await this.#accounts(channel, options);
    await this.mineUntil(
      () => `all of ${channel.funding} is in a wallet, but for ${accounts.unsettled.join(", ")}`,
      async () => {
        accounts = await this.#accounts(channel, options);
        return accounts.unsettled.length === 0;
      },
    );
    for (const [name, msat] of channel.owes) {
      const net = accounts.net.get(name) ?? 0n;
      const off = net - msat / 1_000n;
      assert.ok(
        -TOLERANCE_SAT <= off && off <= TOLERANCE_SAT,
        `${name} got ${net} sat of ${channel.funding}, was owed ${msat} msat`,
      );
    }
    for (const [name, sat] of accounts.toWallets) {
      this.book.toWallets.set(name, (this.book.toWallets.get(name) ?? 0n) + sat);
    }
    return accounts;
  }

  async #accounts(channel: Channel, options: ConservedOptions): Promise<Accounts> {
    const { funding, opener, acceptor } = channel;
    const notSwept = new Map<string, string>();
    for (const name of [opener, acceptor]) {
      for (const event of await this.log(name).find("NotSwept")) {
        notSwept.set(outpointOf(event["output"]), name);
      }
    }
    await this.world.index.update();
    return accountsOf(this.world.index, { funding, opener, notSwept, ...options });
  }
}

const txidOf = (funding: string): string => must(funding.split(":")[0], "a txid");

function outpointOf(output: unknown): string {
  const point: unknown =
    typeof output === "object" && output !== null ? Reflect.get(output, "outpoint") : undefined;
  assert.ok(typeof point === "object" && point !== null, "a descriptor");
  return `${String(Reflect.get(point, "txid"))}:${String(Reflect.get(point, "vout"))}`;
}

const SOON_MS = 400;
const LOOK_MS = 40;

/** What a block leads to takes processes a moment to do. */
async function soon(holds: () => Promise<boolean>): Promise<boolean> {
  for (const deadline = Date.now() + SOON_MS; ;) {
    if (await holds()) return true;
    if (Date.now() > deadline) return false;
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
  }
}
