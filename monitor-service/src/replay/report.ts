/** The replay of one node as JSON: everything the core concluded, with heights. */
import { toHex } from "@farwatch/protocol/bytes";
import { outpointKey, type Outpoint } from "@farwatch/protocol/ids";
import type { ReplayedNode } from "./replay-node.js";
import { monitorEventsOf, spendableOutputsOf } from "./told-events.js";
import type { Verdict } from "./verdict.js";

const keys = (outpoints: readonly Outpoint[]): readonly string[] => outpoints.map(outpointKey);

export function reportOf(node: ReplayedNode, verdict: Verdict | undefined): object {
  const { journal, channels } = node;
  return {
    channels: channels.map(({ name, state }) => ({
      channel: name,
      channel_id: state.parameters.channelId,
      channel_type: state.parameters.channelType,
      latest_update_id: String(state.latestUpdateId),
      funding_spend: state.spend === undefined ? null : spendOf(state.spend),
    })),
    monitor_events: monitorEventsOf(journal.events),
    spendable_outputs: spendableOutputsOf(journal.events),
    broadcasts: journal.broadcasts.map(({ height, channel, role, txid, spends, raw }) => ({
      first_height: height,
      channel,
      role,
      txid,
      inputs: keys(spends),
      raw: toHex(raw),
    })),
    bump_requests: journal.bumps.map(({ height, channel, kind, ...bump }) => ({
      first_height: height,
      channel,
      type: kind === "commitment" ? "ChannelClose" : "HTLCResolution",
      claim_id: bump.claimId,
      commitment_txid: bump.commitmentTxid,
      outpoints: keys(bump.outpoints),
      target_sat_per_kw: bump.targetFeerate,
    })),
    balances: journal.balances.map(({ height, balances }) => ({ height, balances })),
    outstanding: node.outstanding.map(({ txid, role, spends }) => ({
      txid,
      role,
      inputs: keys(spends),
    })),
    ...(verdict === undefined ? {} : { expect: verdict }),
  };
}

const spendOf = ({
  txid,
  block,
  kind,
}: NonNullable<ReplayedNode["channels"][number]["state"]["spend"]>) => ({
  txid,
  height: block.height,
  kind,
});
