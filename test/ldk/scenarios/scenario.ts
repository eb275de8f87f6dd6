/** What the matrix plays (matrix.ldk.ts): each scenario once for every channel type, side by side. */
import type { Channel, Lane } from "../../harness/ldk-node/lane.js";

export interface Scenario {
  readonly name: string;
  readonly play: (lane: Lane) => Promise<void>;
}

/** What happened off chain ends with a cooperative close, which sums it up. */
export async function closeTogether(lane: Lane, channel: Channel): Promise<void> {
  const { channelId, opener, acceptor } = channel;
  await lane.node(opener).call("close", { channelId, force: false });
  await lane.closed(opener, channel, ["LocallyInitiatedCooperativeClosure"]);
  await lane.closed(acceptor, channel, ["CounterpartyInitiatedCooperativeClosure"]);
  await lane.conserved(channel);
}
