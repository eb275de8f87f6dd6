/**
 * A Lightning node for tests and the demo: the channel engine on one side, the manager's API on the
 * other. Every update the engine tells is sent and awaited until `completed`; only then does the dance
 * go on, as a real node must.
 */
import { createHash, randomBytes } from "node:crypto";
import { must } from "@farwatch/protocol/assert";
import { msat, type Sat } from "@farwatch/protocol/amount";
import { blockHeight } from "@farwatch/protocol/block";
import { fromHex, toHex } from "@farwatch/protocol/bytes";
import { encodeInitialState } from "@farwatch/protocol/convert/channel";
import { encodeUpdatePayload } from "@farwatch/protocol/convert/update";
import type { ChannelType } from "@farwatch/protocol/channel";
import {
  hashOfPreimage,
  paymentId,
  preimage as toPreimage,
  txid,
  type PaymentId,
  type Preimage,
} from "@farwatch/protocol/ids";
import type { UpdateStep } from "@farwatch/protocol/update";
import type { Curve } from "@farwatch/protocol/curve/curve";
import type { Regtest } from "../bitcoind/node.js";
import { createChannel, type Channel } from "../channel/channel.js";
import type { Htlc } from "../channel/ledger.js";
import type { SideOptions } from "../channel/setup.js";
import { ownPaymentSource } from "../channel/sources.js";
import { Uplink } from "../routing/uplink.js";
import { FUNDING_DEPTH, signFunding } from "./funding.js";
import type { NodeClient } from "./node-client.js";

const FIRST_UPDATE_ID = 1n;
/** Blocks until an HTLC of ours expires, unless a test says otherwise. */
const DEFAULT_CLTV_DELTA = 80;

export interface OpenOptions {
  readonly bitcoind: Regtest;
  readonly client: NodeClient;
  readonly seed: Uint8Array;
  readonly channelType: ChannelType;
  readonly capacitySat: Sat;
  readonly pushMsat: bigint;
  readonly curve: Curve;
  readonly counterparty?: SideOptions;
}

export interface Payment {
  readonly paymentId: PaymentId;
  readonly preimage: Preimage;
  readonly htlc: Htlc;
}

export class LightningNode {
  /** Preimages in hex, so that a test can look for them where they must not be. */
  readonly secrets: string[] = [];
  #channel: Channel | undefined;
  #nextUpdateId = FIRST_UPDATE_ID;
  readonly #uplink: Uplink<NodeClient>;
  #lastHeight = 0;

  private constructor(
    client: NodeClient,
    readonly bitcoind: Regtest,
  ) {
    this.#uplink = new Uplink(client);
  }

  get channel(): Channel {
    return must(this.#channel, "open channel");
  }
  get client(): NodeClient {
    return this.#uplink.connection;
  }

  /** A new session with the manager: updates whose answer was lost are sent again, same id, same bytes. */
  useClient(client: NodeClient): void {
    this.#uplink.use(client);
  }

  /** Watches first, then funds and confirms: no coin moves before the monitors are ready. */
  static async open(options: OpenOptions): Promise<LightningNode> {
    const { bitcoind, client, seed, channelType, capacitySat, pushMsat, curve } = options;
    const node = new LightningNode(client, bitcoind);
    const plan = createChannel({
      channelType,
      capacitySat,
      pushMsat: msat(pushMsat),
      curve,
      holder: { seed },
      ...(options.counterparty === undefined ? {} : { counterparty: options.counterparty }),
      onUpdate: (steps) => node.#send(steps),
    });
    const funding = await signFunding(bitcoind, plan.fundingScriptPubkey, capacitySat);
    node.#channel = plan.open({ txid: txid(funding.txid), vout: funding.vout });
    await client.watchChannel(
      node.channel.channelId,
      encodeInitialState(node.channel.initialState()),
      FIRST_UPDATE_ID,
    );
    await bitcoind.rpc("sendrawtransaction", [funding.rawTx]);
    await bitcoind.mine(FUNDING_DEPTH);
    return node;
  }

  /** The newest height we heard of; a node goes on while its bitcoind is away. */
  async #height(): Promise<number> {
    if (this.bitcoind.isRunning) this.#lastHeight = await this.bitcoind.height();
    return this.#lastHeight;
  }

  get lastUpdateId(): bigint {
    return this.#nextUpdateId - 1n;
  }

  async #send(steps: readonly UpdateStep[]): Promise<void> {
    const id = this.#nextUpdateId;
    this.#nextUpdateId += 1n;
    await this.#uplink.send(this.channel.channelId, id, encodeUpdatePayload(steps));
  }

  /** Registers and offers a payment of our own, and commits it on both sides. */
  async offerPayment(amountSat: bigint, cltvDelta = DEFAULT_CLTV_DELTA): Promise<Payment> {
    const preimage = this.#newPreimage();
    const paymentHash = hashOfPreimage(preimage);
    const id = paymentId(toHex(createHash("sha256").update(preimage).update("id").digest()));
    const amountMsat = msat(amountSat * 1000n);
    const { client } = this;
    await client.registerPayment({
      paymentId: Buffer.from(fromHex(id)),
      paymentHash: Buffer.from(fromHex(paymentHash)),
      totalMsat: amountMsat,
      isProbe: false,
    });
    const sessionKey = Uint8Array.from(randomBytes(32));
    const htlc = this.channel.addHtlc("holder", {
      amountMsat,
      paymentHash,
      cltvExpiry: blockHeight((await this.#height()) + cltvDelta),
      source: ownPaymentSource({ paymentId: id, sessionKey, firstHopMsat: amountMsat }),
    });
    await this.channel.settle();
    return { paymentId: id, preimage, htlc };
  }

  /** The counterparty offers an HTLC; who keeps the preimage is up to the test. */
  async receiveOffer(amountSat: bigint, cltvDelta = DEFAULT_CLTV_DELTA) {
    const preimage = this.#newPreimage();
    const htlc = this.channel.addHtlc("counterparty", {
      amountMsat: msat(amountSat * 1000n),
      paymentHash: hashOfPreimage(preimage),
      cltvExpiry: blockHeight((await this.#height()) + cltvDelta),
    });
    await this.channel.settle();
    return { preimage, htlc };
  }

  #newPreimage(): Preimage {
    const preimage = toPreimage(Uint8Array.from(randomBytes(32)));
    this.secrets.push(toHex(preimage));
    return preimage;
  }

  async fulfill({ htlc, preimage }: Pick<Payment, "htlc" | "preimage">): Promise<void> {
    await this.channel.fulfillHtlc(htlc, preimage);
    await this.channel.settle();
  }

  /** What OpenNodeSession compares. */
  cursor() {
    const { channel } = this;
    return [
      {
        channelId: Buffer.from(fromHex(channel.channelId)),
        lastUpdateId: this.lastUpdateId,
        holderCommitmentNumber: BigInt(channel.commitment("holder").number),
        counterpartyCommitmentNumber: BigInt(channel.commitment("counterparty").number),
        revokedCommitments: BigInt(channel.revokedBelow("counterparty")),
      },
    ];
  }
}
