/**
 * B's node in the world: the routing node, one client per life of its process, and what it says of its
 * channels when a session opens. Fundings are coins as old as the world, unless they are to be mined.
 */
import { credentials } from "@grpc/grpc-js";
import type { Sat } from "@farwatch/protocol/amount";
import { toHex } from "@farwatch/protocol/bytes";
import {
  ManagerServiceClient,
  type NodeChannel,
  type Role,
} from "@farwatch/protocol/gen/manager/v1/manager_service";
import { txid, type ChannelId } from "@farwatch/protocol/ids";
import type { Side } from "../../harness/channel/setup.js";
import { testChannelOptions } from "../../harness/channel/test-channel.js";
import { handFunding } from "../../harness/monitor-core/hand-funding.js";
import type { Link, LinkOptions, PreparedFunding } from "../../harness/routing/link.js";
import type { NodeMemory } from "../../harness/routing/memory.js";
import { RoutingNode } from "../../harness/routing/routing-node.js";
import { Life } from "./life.js";
import { MemoryChannel } from "./memory-channel.js";
import type { MemoryServer } from "./memory-server.js";
import { named, seededBytes } from "./seeded.js";
import type { Surroundings } from "./surroundings.js";
import { WorldClient } from "./world-client.js";

export const NODE_KEY = "02".repeat(33);
const DRAWN_BYTES = 32;

export interface NodeParts {
  readonly role: Role;
  readonly manager: () => MemoryServer | undefined;
  /** Mines a funding; undefined: fundings are coins as old as the world. */
  readonly mine?: (raw: Uint8Array) => Promise<void>;
}

export class NodeSide {
  /** Transactions of fundings that were mined. */
  readonly fundings: Uint8Array[] = [];
  readonly node: RoutingNode<WorldClient>;
  #epoch = 0n;
  #funded = 0;
  /** Channels that existed when the node was restarted last. */
  #before: ReadonlySet<ChannelId> = new Set();

  constructor(
    private readonly around: Surroundings,
    private readonly parts: NodeParts,
  ) {
    const draw = seededBytes("node");
    this.node = new RoutingNode({
      connection: this.#newClient(() => this.#cursors()),
      funder: { prepare: (script, value) => Promise.resolve(this.#fund(script, value)) },
      height: () => around.chain.height,
      draw: () => draw(DRAWN_BYTES),
    });
  }

  open(name: string, options: Partial<LinkOptions>): Promise<Link> {
    const { curve, chain } = this.around;
    const keys = (side: Side) => ({ channelKeysId: named(`${side} keys of ${name}`) });
    return this.node.openChannel(name, {
      ...testChannelOptions,
      curve,
      holder: keys("holder"),
      counterparty: keys("counterparty"),
      initialState: { bestBlock: chain.tip },
      ...options,
    });
  }

  /** The node's process starts anew with this memory. */
  async restart(memory: NodeMemory, quiesce: () => Promise<void>): Promise<void> {
    this.#before = new Set([...this.node.links.values()].map(({ channelId }) => channelId));
    await this.node.restart(async (cursors) => {
      this.node.connection.close();
      let restarting = true;
      const client = this.#newClient(() => (restarting ? cursors : this.#cursors(memory)));
      client.connect();
      await quiesce();
      restarting = false;
      return client;
    }, memory);
  }

  #newClient(cursors: () => readonly NodeChannel[]): WorldClient {
    const { certificates: made, pump, points, holds, record } = this.around;
    const life = new Life("node", false);
    this.#epoch += 1n;
    return new WorldClient({
      nodeKey: NODE_KEY,
      nodeEpoch: this.#epoch,
      role: this.parts.role,
      cursors,
      pump,
      record,
      open: () => {
        const server = this.parts.manager;
        const parts = { client: life, server, certificate: made.node.raw, pump, points, holds };
        const options = { channelOverride: new MemoryChannel(parts) };
        return new ManagerServiceClient("memory", credentials.createInsecure(), options);
      },
    });
  }

  /** What the node says of its channels: of those on which it is behind, what it remembers. */
  #cursors(memory?: NodeMemory): readonly NodeChannel[] {
    const remembered = new Map(
      memory?.cursors.map((cursor) => [toHex(cursor.channelId), cursor] as const),
    );
    const known = (link: Link): boolean =>
      memory === undefined || remembered.has(link.channelId) || !this.#before.has(link.channelId);
    return [...this.node.links.values()].filter(known).map((link) => {
      const cursor = remembered.get(link.channelId);
      return link.isBehind && cursor !== undefined ? cursor : link.cursor();
    });
  }

  #fund(script: Uint8Array, value: Sat): PreparedFunding {
    const { mine } = this.parts;
    if (mine !== undefined) {
      const setup = { capacitySat: value };
      const { raw, outpoint, coin } = handFunding({ fundingScriptPubkey: script, setup });
      this.around.chain.grant(coin.outpoint, coin.prevout);
      this.fundings.push(raw);
      return { funding: outpoint, publish: () => mine(raw) };
    }
    this.#funded += 1;
    const funding = { txid: txid(toHex(named(`funding ${this.#funded}`))), vout: 0 };
    this.around.chain.grant(funding, { script, value });
    return { funding, publish: () => Promise.resolve() };
  }
}
