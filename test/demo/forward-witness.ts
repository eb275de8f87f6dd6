/** Whether a monitor's event is still held, asked of the monitor that holds it and of the manager. */
import { toHex } from "@farwatch/protocol/bytes";
import type { ListPendingEventsResponse } from "@farwatch/protocol/gen/manager/v1/manager_service";
import { MonitorEventPayload, type MonitorEvent } from "@farwatch/protocol/gen/monitor/v1/event";
import type { ChannelId } from "@farwatch/protocol/ids";
import type { MonitorClient } from "../harness/cluster/monitor-client.js";
import type { NodeClient } from "../harness/cluster/node-client.js";
import type { RoutingNode } from "../harness/routing/routing-node.js";
import type { Timeline } from "./timeline.js";

/** Asked so often at each step, because an early ack would take a moment to arrive. */
const LOOKS = 8;
const BETWEEN_LOOKS_MS = 50;
/** What the manager says of an event whose ack it has decided. */
const ON_ITS_WAY = /on its way/;

export interface Sighting {
  readonly step: string;
  /** A's last revocation is durable at the monitor. */
  readonly removed: boolean;
  /** Un-acked at every look, and the manager had not decided to ack it. */
  readonly held: boolean;
  /** The manager's reason. */
  readonly waits_for: string | undefined;
}

interface Seen {
  readonly node: RoutingNode<NodeClient>;
  readonly monitor: MonitorClient;
  readonly timeline: Timeline;
}

export class Witness {
  readonly sightings: Sighting[] = [];

  constructor(
    private readonly seen: Seen,
    /** The channel and id of the event. */
    private readonly event: Pick<MonitorEvent, "channelId" | "eventId">,
  ) {}

  /** Looks for a while. Without `isMonitorUp` only the manager is asked. */
  async see(step: string, removed: boolean, isMonitorUp = true): Promise<Sighting> {
    let held = true;
    let reason: string | undefined;
    for (let look = 0; look < LOOKS; look++) {
      reason = await this.#reason();
      if (reason === undefined || ON_ITS_WAY.test(reason)) held = false;
      if (isMonitorUp && !(await this.#isPending())) held = false;
      await new Promise((resolve) => setTimeout(resolve, BETWEEN_LOOKS_MS));
    }
    const sighting = { step, removed, held, waits_for: reason };
    this.sightings.push(sighting);
    this.seen.timeline.say(`${step}: the event is ${held ? "held" : "acked"}`);
    return sighting;
  }

  async #isPending(): Promise<boolean> {
    return (await this.seen.monitor.pendingEvents()).some((event) => this.#isIt(event));
  }

  async #reason(): Promise<string | undefined> {
    const { connection } = this.seen.node;
    const { events } = await connection.call<ListPendingEventsResponse>((done) =>
      connection.rpc.listPendingEvents({}, connection.metadata, done),
    );
    return events.find((event) => this.#isIt(event))?.whyNotAcked;
  }

  #isIt({ channelId, eventId }: Pick<MonitorEvent, "channelId" | "eventId">): boolean {
    return eventId === this.event.eventId && channelId.equals(this.event.channelId);
  }
}

/** The event by which a monitor says that the counterparty claimed an HTLC of this channel. */
export const findClaim = (
  events: readonly MonitorEvent[],
  id: ChannelId,
): MonitorEvent | undefined =>
  events.find(({ channelId, payload }) => {
    const { event } = MonitorEventPayload.decode(payload);
    const isClaim = event?.$case === "htlcEvent" && event.value.resolution?.$case === "claimed";
    return isClaim && toHex(channelId) === id;
  });
