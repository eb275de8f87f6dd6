/**
 * A channel of the node under test: the channel engine on one side, the manager's API on the other.
 * Every update the engine tells is sent and awaited until `completed`; only then does the dance go on.
 */
import { sat } from "@farwatch/protocol/amount";
import { must } from "@farwatch/protocol/assert";
import { fromHex, toHex } from "@farwatch/protocol/bytes";
import type { ChannelType } from "@farwatch/protocol/channel";
import { encodeInitialState } from "@farwatch/protocol/convert/channel";
import { encodeUpdatePayload } from "@farwatch/protocol/convert/update";
import type { NodeChannel } from "@farwatch/protocol/gen/manager/v1/manager_service";
import { txid, type ChannelId } from "@farwatch/protocol/ids";
import type { UpdateStep } from "@farwatch/protocol/update";
import { createChannel, type Channel, type ChannelOptions } from "../../harness/channel/channel.js";
import { testChannelOptions } from "../../harness/channel/test-channel.js";
import { named } from "./seeded.js";
import type { World } from "./world.js";

const FIRST_UPDATE_ID = 1n;

export interface OpenChannel extends Partial<Omit<ChannelOptions, "onUpdate" | "channelType">> {
  /** Keys and funding follow from it; different for every channel of a world. */
  readonly name: string;
  readonly channelType?: ChannelType;
}

export class WorldChannel {
  #channel: Channel | undefined;
  #nextUpdateId = FIRST_UPDATE_ID;

  private constructor(
    private readonly world: World,
    readonly name: string,
  ) {}

  /** Watched and durable everywhere; the funding is as old as the world. */
  static async open(world: World, options: OpenChannel): Promise<WorldChannel> {
    const { name, ...rest } = options;
    const opened = new WorldChannel(world, name);
    const plan = createChannel({
      ...testChannelOptions,
      curve: world.curve,
      holder: { channelKeysId: named(`holder keys of ${name}`) },
      counterparty: { channelKeysId: named(`counterparty keys of ${name}`) },
      ...rest,
      onUpdate: (steps) => opened.#send(steps),
    });
    const funding = { txid: txid(toHex(named(`funding of ${name}`))), vout: 0 };
    const value = sat(plan.setup.capacitySat);
    world.chain.grant(funding, { script: plan.fundingScriptPubkey, value });
    const channel = plan.open(funding);
    opened.#channel = channel;
    world.client.track(() => opened.cursor());
    const first = encodeInitialState(
      channel.initialState("holder", { bestBlock: world.chain.tip }),
    );
    await world.client.watchChannel(channel.channelId, first, FIRST_UPDATE_ID);
    return opened;
  }

  get channel(): Channel {
    return must(this.#channel, "open channel");
  }
  get channelId(): ChannelId {
    return this.channel.channelId;
  }
  /** Id of the newest update sent. */
  get lastUpdateId(): bigint {
    return this.#nextUpdateId - 1n;
  }

  async #send(steps: readonly UpdateStep[]): Promise<void> {
    const id = this.#nextUpdateId;
    this.#nextUpdateId += 1n;
    await this.world.client.update(this.channelId, id, encodeUpdatePayload(steps));
  }

  /** What OpenNodeSession compares. */
  cursor(): NodeChannel {
    const { channel } = this;
    return {
      channelId: Buffer.from(fromHex(channel.channelId)),
      lastUpdateId: this.lastUpdateId,
      holderCommitmentNumber: BigInt(channel.commitment("holder").number),
      counterpartyCommitmentNumber: BigInt(channel.commitment("counterparty").number),
      revokedCommitments: BigInt(channel.revokedBelow("counterparty")),
    };
  }
}
