/** A - B - C with B's manager played by the test; channels that never reach a chain. */
import { msat, sat } from "@farwatch/protocol/amount";
import type { ChannelType } from "@farwatch/protocol/channel";
import { txid } from "@farwatch/protocol/ids";
import type { Funder, Link } from "../link.js";
import type { Policy } from "../policy.js";
import { RoutingNode } from "../routing-node.js";
import { ScriptedManager } from "./scripted-manager.js";

export const HEIGHT = 500;

/** Fundings nobody publishes, each another outpoint. */
export function nowhereFunder(): Funder {
  let made = 0;
  return {
    prepare() {
      made += 1;
      const funding = { txid: txid(made.toString(16).padStart(64, "0")), vout: made };
      return Promise.resolve({ funding, publish: () => Promise.resolve() });
    },
  };
}

/** Draws 32 bytes that repeat from run to run. */
export function counter(): () => Uint8Array {
  let drawn = 0;
  return () => {
    drawn += 1;
    return new Uint8Array(32).fill(drawn & 0xff, 0, 16).fill(drawn >> 8, 16);
  };
}

export interface Hops {
  readonly manager: ScriptedManager;
  readonly node: RoutingNode<ScriptedManager>;
  readonly links: readonly Link[];
}

/** B with channels of these names; A's side has half of each. */
export async function hops(names: readonly string[], policy?: Policy): Promise<Hops> {
  const manager = new ScriptedManager();
  const node = new RoutingNode({
    connection: manager,
    funder: nowhereFunder(),
    height: () => HEIGHT,
    draw: counter(),
    ...(policy === undefined ? {} : { policy }),
  });
  const links: Link[] = [];
  for (const name of names) links.push(await node.openChannel(name, linkOptions()));
  return { manager, node, links };
}

export const linkOptions = (channelType: ChannelType = "static_remote_key") => ({
  channelType,
  capacitySat: sat(1_000_000),
  pushMsat: msat(500_000_000),
});
