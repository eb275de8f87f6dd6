/** Own outputs of a channel for GetChannel: who sweeps them, who spent them. */
import { outpointKey } from "@farwatch/protocol/ids";
import type { MonitorState } from "../monitor/state.js";
import type { Core } from "./core.js";
import type { ChannelView } from "./monitor-host.js";

export function ownOutputs(core: Core, state: MonitorState): ChannelView["ownOutputs"] {
  if (state.ownOutputs.length === 0) return [];
  const sweptBy = new Map(
    [...core.sweeps.values()].flatMap(({ spends, txids }) =>
      spends.map((key) => [key, txids.at(-1)] as const),
    ),
  );
  return state.ownOutputs.map(({ output, matureAt, spend }) => ({
    outpoint: output.outpoint,
    kind: output.output.kind,
    valueSat: output.valueSat,
    matureAt,
    sweptBy: sweptBy.get(outpointKey(output.outpoint)),
    spend,
  }));
}
