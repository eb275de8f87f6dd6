/**
 * Everything an end-to-end test needs, started and wired: bitcoind, services, an open channel. Words for
 * what tests ask again and again: is it in the mempool, who spent it, what was the user told.
 */
import { randomBytes } from "node:crypto";
import assert from "node:assert/strict";
import { sat } from "@farwatch/protocol/amount";
import { must } from "@farwatch/protocol/assert";
import { toHex } from "@farwatch/protocol/bytes";
import type { ChannelType } from "@farwatch/protocol/channel";
import { selectCurve } from "@farwatch/protocol/curve/select-curve";
import type { UserEvent } from "@farwatch/protocol/gen/manager/v1/event";
import { startRegtest, type Regtest } from "../bitcoind/node.js";
import { findSpend, isSpentInMempool, until, type Spend } from "./chain-facts.js";
import { createCluster, type Cluster, type ClusterOptions } from "./cluster.js";
import { LightningNode } from "./lightning-node.js";
import type { MonitorClient } from "./monitor-client.js";

export interface StageOptions extends Pick<
  ClusterOptions,
  "monitors" | "feeWallet" | "monitorScript" | "managerScript" | "env"
> {
  readonly channelType: ChannelType;
  readonly zmq?: boolean;
  /** Reused when given; the stage then leaves it running. */
  readonly bitcoind?: Regtest;
}

type Told = NonNullable<UserEvent["event"]>;
type ToldValues = { readonly [E in Told as E["$case"]]: E["value"] };

interface Place {
  readonly txid: string;
  readonly vout: number;
}

/** Of what needs no Done (manager/v1/event.proto). */
const LEVEL_ITEM_ID = 0n;
/** How far back a spend is looked for that may have confirmed meanwhile. */
const RECENT_BLOCKS = 3;

export class Stage {
  private constructor(
    readonly bitcoind: Regtest,
    readonly cluster: Cluster,
    readonly node: LightningNode,
    readonly monitor: MonitorClient,
    private readonly ownsBitcoind: boolean,
  ) {}

  static async open(options: StageOptions): Promise<Stage> {
    const { channelType, zmq, bitcoind: given, ...services } = options;
    const bitcoind = given ?? (await startRegtest({ zmq: zmq ?? false }));
    if ((await bitcoind.height()) < 101) await bitcoind.mine(101);
    const seed = Uint8Array.from(randomBytes(32));
    const cluster = await createCluster({ bitcoind, seed, ...services });
    try {
      await cluster.startAll();
      const client = cluster.connectNode(1n);
      await client.connect();
      const { curve } = await selectCurve("auto");
      const node = await LightningNode.open({
        bitcoind,
        client,
        seed,
        channelType,
        capacitySat: sat(1_000_000),
        pushMsat: 450_000_000n,
        curve,
      });
      const monitor = must(cluster.monitors[0], "monitor").connect();
      return new Stage(bitcoind, cluster, node, monitor, given === undefined);
    } catch (error) {
      await cluster.stop();
      if (given === undefined) await bitcoind.stop();
      throw error;
    }
  }

  async close(): Promise<void> {
    this.node.client.close();
    this.monitor.close();
    await this.cluster.stop();
    if (this.ownsBitcoind) await this.bitcoind.stop();
    this.assertCleanLogs();
  }

  /** No service may log a secret, or an error that no person has to act on. */
  assertCleanLogs(): void {
    const { manager, monitors } = this.cluster;
    for (const { log, command } of [manager, ...monitors.map(({ process }) => process)]) {
      const text = log.join("\n");
      assert.ok(text.length > 0, `${command.name} logs`);
      for (const secret of this.node.secrets) {
        assert.ok(!text.includes(secret), `${command.name} logged a preimage`);
      }
      assert.doesNotMatch(text, /"level":"(error|fatal)"/, `${command.name} logged an error`);
    }
  }

  async broadcast(raw: Uint8Array): Promise<string> {
    return String(await this.bitcoind.rpc("sendrawtransaction", [toHex(raw)]));
  }

  inMempool(place: Place): Promise<void> {
    return until(`a spend of ${place.txid}:${place.vout} in the mempool`, () =>
      isSpentInMempool(this.bitcoind, place),
    );
  }

  /**
   * Waits for the spend, mines it unless a block of late holds it (a second stage can be in the block of
   * its commitment), and gives it back as bitcoind has it.
   */
  async confirmed(place: Place): Promise<Spend> {
    const from = Math.max(0, (await this.bitcoind.height()) - RECENT_BLOCKS);
    let spend: Spend | undefined;
    await until(`a spend of ${place.txid}:${place.vout}`, async () => {
      spend = await findSpend(this.bitcoind, place, from);
      return spend !== undefined || (await isSpentInMempool(this.bitcoind, place));
    });
    if (spend !== undefined) return spend;
    await this.mine(1);
    return must(await findSpend(this.bitcoind, place, from), "confirmed spend");
  }

  /** Mines and waits until every running monitor has seen it. */
  async mine(blocks: number): Promise<void> {
    await this.bitcoind.mine(blocks);
    await this.synced();
  }

  async synced(): Promise<void> {
    const hash = await this.bitcoind.bestHash();
    await until("the monitor at the tip", async () => {
      const { tip } = await this.monitor.info();
      return tip !== undefined && toHex(Uint8Array.from(tip.blockHash).reverse()) === hash;
    });
  }

  /** The output's script must be where our node sweeps to. */
  assertOurs(spend: Spend): void {
    const { destinationScript } = this.node.channel.setup.sides.holder.party.identity;
    assert.equal(spend.tx.vout[0]?.scriptPubKey.hex, toHex(destinationScript));
  }

  userEvents(): readonly Told[] {
    return this.node.client.items.flatMap(({ item }) =>
      item?.$case === "userEvent" && item.value.event !== undefined ? [item.value.event] : [],
    );
  }

  /** The first user event of a kind, waited for. */
  async told<C extends keyof ToldValues>(kind: C): Promise<ToldValues[C]> {
    const find = (): Told | undefined => this.userEvents().find(({ $case }) => $case === kind);
    await until(`the user event ${kind}`, () => find() !== undefined);
    return must(find(), kind).value as ToldValues[C];
  }

  /** The user handles all it was told, until the monitor holds nothing more. */
  async settle(): Promise<void> {
    const { client } = this.node;
    const handled = new Set<bigint>();
    await until("the monitor holds no event", async () => {
      const isItem = (id: bigint): boolean => id !== LEVEL_ITEM_ID && !handled.has(id);
      const fresh = client.items.map(({ itemId }) => itemId).filter(isItem);
      for (const id of fresh) handled.add(id);
      if (fresh.length > 0) await client.done(fresh);
      return (await this.monitor.pendingEvents()).length === 0;
    });
  }
}
