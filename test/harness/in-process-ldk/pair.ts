/** Two in-process nodes, the bytes between them, and what they do with each other. */
import { must } from "@farwatch/protocol/assert";
import { toHex } from "@farwatch/protocol/bytes";
import type { SocketDescriptor } from "lightningdevkit";
import { Transaction } from "bitcoinjs-lib";
import { ldk } from "../../fixture-recorder/ldk/module.js";
import { mustBeOk, okOf } from "../../fixture-recorder/ldk/result.js";
import type { InProcessNode } from "./node.js";
import type { PaperBlock, PaperChain } from "./paper-chain.js";

interface End {
  readonly node: InProcessNode;
  readonly socket: SocketDescriptor;
  readonly inbox: Uint8Array[];
}

const MAX_ROUNDS = 500;
const INVOICE_EXPIRY_SECS = 7_200;
/** With 24 blocks for the last hop, the router has no room for a shadow route: the expiry is known. */
const MAX_TOTAL_DELTA = 43;

export class Pair {
  /** Also given every block. */
  readonly followers: ((block: PaperBlock) => void)[] = [];
  #ends: readonly [End, End] | undefined;
  #sockets = 0n;
  #coins = 0;

  constructor(
    readonly chain: PaperChain,
    public a: InProcessNode,
    public b: InProcessNode,
  ) {}

  connect(): void {
    const { a, b } = this;
    const toA: Uint8Array[] = [];
    const toB: Uint8Array[] = [];
    const ofA: End = { node: a, socket: this.#socket(toB), inbox: toA };
    const ofB: End = { node: b, socket: this.#socket(toA), inbox: toB };
    const nowhere = ldk.Option_SocketAddressZ.constructor_none();
    mustBeOk(b.peers.new_inbound_connection(ofB.socket, nowhere), "inbound connection");
    const greeting = a.peers.new_outbound_connection(b.id, ofA.socket, nowhere);
    const Ok = ldk.Result_CVec_u8ZPeerHandleErrorZ_OK;
    toB.push(Uint8Array.from(okOf(greeting, Ok, "outbound connection").res));
    this.#ends = [ofA, ofB];
    this.exchange();
  }

  /** What is on the way is lost. */
  disconnect(): void {
    for (const { node, socket } of this.#ends ?? []) node.peers.socket_disconnected(socket);
    this.#ends = undefined;
  }

  /** Delivers until nothing moves; true when anything did. */
  exchange(): boolean {
    let moved = false;
    for (let round = 0; round < MAX_ROUNDS; round++) {
      if (!this.step()) return moved;
      moved = true;
    }
    throw new Error("the nodes talk in circles");
  }

  step(): boolean {
    let moved = false;
    for (const node of [this.a, this.b]) node.peers.process_events();
    for (const { node, socket, inbox } of this.#ends ?? []) {
      while (inbox.length > 0) {
        moved = true;
        const bytes = must(inbox.shift(), "bytes");
        mustBeOk(node.peers.read_event(socket, bytes), "read_event");
      }
    }
    for (const node of [this.a, this.b]) moved = node.processEvents() || moved;
    return moved;
  }

  mine(what: "all" | "empty" = "all"): void {
    const block = this.chain.mine(what);
    for (const node of [this.a, this.b]) node.connectBlock(block);
    for (const follow of this.followers) follow(block);
    this.exchange();
  }

  /** Up to where the funding transaction is handed to LDK. */
  startChannel(opener: InProcessNode, valueSat: bigint, pushMsat: bigint): void {
    const acceptor = opener === this.a ? this.b : this.a;
    const { manager } = opener;
    mustBeOk(
      manager.create_channel(acceptor.id, valueSat, pushMsat, 5n, null, null),
      "create_channel",
    );
    this.exchange();
    const asked = opener.events.findLast(
      (event) => event instanceof ldk.Event_FundingGenerationReady,
    );
    if (!(asked instanceof ldk.Event_FundingGenerationReady))
      throw new Error("no funding asked for");
    const funded = manager.funding_transaction_generated(
      asked.temporary_channel_id,
      asked.counterparty_node_id,
      this.#fundingTx(asked.output_script, valueSat),
    );
    mustBeOk(funded, "funding_transaction_generated");
    this.exchange();
  }

  /** Returns the payment hash. */
  pay(
    payer: InProcessNode,
    payee: InProcessNode,
    amountMsat: bigint,
    maxTotalDelta = MAX_TOTAL_DELTA,
  ): string {
    const invoice = okOf(
      ldk.UtilMethods.constructor_create_invoice_from_channelmanager(
        payee.manager,
        ldk.Option_u64Z.constructor_some(amountMsat),
        "test",
        INVOICE_EXPIRY_SECS,
        ldk.Option_u16Z.constructor_none(),
      ),
      ldk.Result_Bolt11InvoiceSignOrCreationErrorZ_OK,
      "invoice",
    ).res;
    const parts = okOf(
      ldk.UtilMethods.constructor_payment_parameters_from_invoice(invoice),
      ldk.Result_C3Tuple_ThirtyTwoBytesRecipientOnionFieldsRouteParametersZNoneZ_OK,
      "payment parameters",
    ).res;
    const hash = parts.get_a();
    const route = parts.get_c();
    const params = route.get_payment_params();
    params.set_max_total_cltv_expiry_delta(maxTotalDelta);
    route.set_payment_params(params);
    const retry = ldk.Retry.constructor_attempts(0);
    mustBeOk(payer.manager.send_payment(hash, parts.get_b(), hash, route, retry), "send_payment");
    return toHex(hash);
  }

  /** Spends a coin nobody has. */
  #fundingTx(script: Uint8Array, valueSat: bigint): Uint8Array {
    this.#coins += 1;
    const tx = new Transaction();
    tx.version = 2;
    const coin = new Uint8Array(32).fill(0xc0);
    coin.set(Buffer.from(String(process.hrtime.bigint())).subarray(-16), 8);
    tx.addInput(Buffer.from(coin), this.#coins);
    tx.setWitness(0, [Buffer.from([1])]);
    tx.addOutput(Buffer.from(script), valueSat);
    return Uint8Array.from(tx.toBuffer());
  }

  #socket(outbox: Uint8Array[]): SocketDescriptor {
    const id = this.#sockets++;
    return ldk.SocketDescriptor.new_impl({
      send_data: (data) => {
        outbox.push(Uint8Array.from(data));
        return data.length;
      },
      disconnect_socket: () => undefined,
      eq: (other) => other.hash() === id,
      hash: () => id,
    });
  }
}
