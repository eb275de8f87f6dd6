/** The nodes of a run, the links between them, and the chain they all follow. */
import { must } from "@farwatch/protocol/assert";
import { fromHex, toHex } from "@farwatch/protocol/bytes";
import type { SocketDescriptor } from "lightningdevkit";
import { Transaction } from "bitcoinjs-lib";
import { z } from "zod";
import { MINER, type RecordedChain } from "../chain/recorded-chain.js";
import type { Funding, RecordedBlock } from "../fixture/document.js";
import { ldk } from "../ldk/module.js";
import { mustBeOk, okOf } from "../ldk/result.js";
import type { LightningNode } from "./lightning-node.js";

/** Far more rounds than any exchange needs: reaching it means two nodes talk in circles. */
const MAX_ROUNDS = 500;
/** Confirmations after which both sides use a channel. */
const FUNDING_DEPTH = 6;
const FUNDING_FEE_BTC_PER_KVB = 0.00005;

interface End {
  readonly node: LightningNode;
  readonly socket: SocketDescriptor;
  /** Bytes on their way to this end. */
  readonly inbox: Uint8Array[];
}

export interface Link {
  readonly ends: readonly [End, End];
  up: boolean;
}

export interface ChannelPlan {
  readonly valueSat: number;
  readonly pushMsat: number;
}

const Decoded = z.object({ address: z.string() });
const WithHex = z.object({ hex: z.string() });

export class Network {
  readonly #links = new Set<Link>();
  #sockets = 0n;

  constructor(
    readonly chain: RecordedChain,
    readonly nodes: readonly LightningNode[],
  ) {}

  connect(a: LightningNode, b: LightningNode): Link {
    const toA: Uint8Array[] = [];
    const toB: Uint8Array[] = [];
    const drop = () => {
      link.up = false;
    };
    const ofA: End = { node: a, socket: this.#socket(toB, drop), inbox: toA };
    const ofB: End = { node: b, socket: this.#socket(toA, drop), inbox: toB };
    const link: Link = { ends: [ofA, ofB], up: true };
    const anonymous = ldk.Option_SocketAddressZ.constructor_none();
    mustBeOk(b.peers.new_inbound_connection(ofB.socket, anonymous), "inbound connection");
    const greeting = a.peers.new_outbound_connection(b.id, ofA.socket, anonymous);
    const Ok = ldk.Result_CVec_u8ZPeerHandleErrorZ_OK;
    toB.push(Uint8Array.from(okOf(greeting, Ok, "outbound connection").res));
    this.#links.add(link);
    this.settle();
    return link;
  }

  /** Bytes under way are lost. */
  disconnect(link: Link): void {
    link.up = false;
    for (const { node, socket } of link.ends) node.peers.socket_disconnected(socket);
    this.#links.delete(link);
  }

  /** Delivers messages and events until nothing moves. */
  settle(): void {
    for (let round = 0; round < MAX_ROUNDS; round++) {
      let moved = this.#deliver();
      for (const node of this.nodes) moved = node.processEvents() || moved;
      if (!moved) return;
    }
    throw new Error(`the nodes still talk after ${MAX_ROUNDS} rounds`);
  }

  feed(blocks: readonly RecordedBlock[]): void {
    for (const block of blocks) {
      for (const node of this.nodes) node.connectBlock(block);
      this.settle();
      for (const node of this.nodes) node.balances();
    }
  }

  /** Mines what the mempool holds, one block at a time, because nodes broadcast in between. */
  mine(count = 1): void {
    for (let nth = 0; nth < count; nth++) this.feed(this.chain.mine(1));
  }

  mineExactly(transactions: readonly string[]): void {
    this.feed([this.chain.mineExactly(transactions)]);
  }

  mineUntil(reached: () => boolean, limit: number): void {
    for (let mined = 0; !reached(); mined++) {
      if (mined >= limit) throw new Error(`not reached within ${limit} blocks`);
      this.mine();
    }
  }

  /** The newest blocks leave the chain and every node. */
  disconnectBlocks(depth: number): RecordedBlock[] {
    const gone = this.chain.reorganize(depth);
    for (const block of gone) for (const node of this.nodes) node.disconnectBlock(block);
    this.settle();
    for (const node of this.nodes) node.balances();
    return gone;
  }

  note(text: string): void {
    for (const node of this.nodes) node.timeline.note(text);
  }

  /** Opens a channel that the miner's wallet pays for, and waits until both sides use it. */
  openChannel(opener: LightningNode, acceptor: LightningNode, plan: ChannelPlan): Funding {
    const { valueSat, pushMsat } = plan;
    const created = opener.manager.create_channel(
      acceptor.id,
      BigInt(valueSat),
      BigInt(pushMsat),
      5n,
      null,
      null,
    );
    mustBeOk(created, "create_channel");
    this.settle();
    const asked = opener.events.findLast(
      (event) => event instanceof ldk.Event_FundingGenerationReady,
    );
    if (!(asked instanceof ldk.Event_FundingGenerationReady))
      throw new Error("no funding asked for");
    const script = toHex(asked.output_script);
    const raw = this.#fundingTx(script, valueSat);
    const funded = opener.manager.funding_transaction_generated(
      asked.temporary_channel_id,
      asked.counterparty_node_id,
      fromHex(raw),
    );
    mustBeOk(funded, "funding_transaction_generated");
    this.settle();
    this.mine(FUNDING_DEPTH);
    const tx = Transaction.fromHex(raw);
    const vout = tx.outs.findIndex((output) => toHex(output.script) === script);
    return {
      raw,
      txid: tx.getId(),
      vout,
      value_sat: String(valueSat),
      script,
      opener: opener.name,
      acceptor: acceptor.name,
    };
  }

  #fundingTx(script: string, valueSat: number): string {
    const { rpc } = this.chain;
    const { address } = rpc.ask(Decoded, "decodescript", [script]);
    const outputs = { [address]: (valueSat / 1e8).toFixed(8) };
    const draft = rpc.ask(z.string(), "createrawtransaction", [[], outputs]);
    const options = { changePosition: 1, feeRate: FUNDING_FEE_BTC_PER_KVB };
    const funded = rpc.ask(WithHex, "fundrawtransaction", [draft, options], MINER);
    return rpc.ask(WithHex, "signrawtransactionwithwallet", [funded.hex], MINER).hex;
  }

  #socket(outbox: Uint8Array[], drop: () => void): SocketDescriptor {
    const id = this.#sockets++;
    return ldk.SocketDescriptor.new_impl({
      send_data: (data) => {
        outbox.push(Uint8Array.from(data));
        return data.length;
      },
      disconnect_socket: drop,
      eq: (other) => other.hash() === id,
      hash: () => id,
    });
  }

  #deliver(): boolean {
    let moved = false;
    for (const node of this.nodes) node.peers.process_events();
    for (const link of this.#links) {
      for (const { node, socket, inbox } of link.ends) {
        while (inbox.length > 0 && link.up) {
          moved = true;
          const data = must(inbox.shift(), "bytes to deliver");
          if (!node.peers.read_event(socket, data).is_ok()) link.up = false;
        }
      }
    }
    return moved;
  }
}
