/**
 * A -> B -> C while things die: C takes its HTLC on chain while B's manager is gone. The monitor alone
 * learns the preimage and keeps it for both channels; B comes back, takes the money from A and is told so
 * once. The monitor's event is acked only when A's side can no longer have the HTLC, durably: one more
 * crash, of the monitor, shows that "durably" is meant. What is shown is read back from bitcoind, from the
 * monitor and from the manager.
 */
import type { ChannelType } from "@farwatch/protocol/channel";
import { forgetful } from "../harness/routing/memory.js";
import {
  claimOnChain,
  claimUpstream,
  EXPECTED_SAT,
  FEE_MSAT,
  forwardOrdinarily,
  killManager,
  letItMature,
  monitorAlone,
  offerForward,
  openPlay,
  receivedSat,
  restart,
  type OnChainClaim,
  type Play,
} from "./forward-acts.js";
import type { Sighting } from "./forward-witness.js";
import type { Stage } from "./stage.js";
import type { Timeline } from "./timeline.js";

export interface ForwardResult {
  readonly ok: boolean;
  readonly channel_type: ChannelType;
  readonly commitment_txid: string;
  readonly htlc_success_txid: string;
  readonly height: number;
  /** By C, from B. */
  readonly claimed_sat: number;
  /** By B, from A: an ordinary forward and the one C took on chain. */
  readonly received_sat: number;
  /** The monitor had the preimage for A's channel before the manager was back. */
  readonly relayed_while_manager_dead: boolean;
  readonly events_held: number;
  /** PaymentForwarded with claim_from_onchain. */
  readonly forwarded_from_onchain: number;
  readonly total_fee_msat: number;
  /** At each step: is the event held, and for what, by the manager's own word. */
  readonly sightings: readonly Sighting[];
  readonly acked_before_removal: boolean;
  /** User events told to a node that forgot everything but its channels. */
  readonly told_again: number;
  readonly user_events: readonly string[];
  readonly pending_after: number;
  readonly seconds: number;
}

export async function runForward(
  channelType: ChannelType,
  timeline: Timeline,
  onStage: (stage: Stage) => void,
): Promise<ForwardResult> {
  const started = Date.now();
  const play = await openPlay(channelType, timeline, onStage);
  await forwardOrdinarily(play);
  timeline.chapter("C goes on chain");
  const { inbound, leg } = await offerForward(play);
  await killManager(play);
  const claim = await claimOnChain(play, leg, inbound.secret);
  const found = await monitorAlone(play, inbound);
  timeline.chapter("B's manager returns");
  await restart(play, 2n);
  const sightings = await claimUpstream(play, found.event, inbound);
  timeline.chapter("Afterwards");
  await letItMature(play);
  const toldAgain = await forgetEverything(play);
  const pending = (await play.monitor.pendingEvents()).length;
  play.node.connection.close();
  play.monitor.close();
  return resultOf(play, claim, {
    relayed_while_manager_dead: found.relayed,
    events_held: found.held,
    sightings,
    told_again: toldAgain,
    pending_after: pending,
    seconds: Math.round((Date.now() - started) / 100) / 10,
  });
}

/** One more restart, of a node without memory: what was handled is not told again. */
async function forgetEverything(play: Play): Promise<number> {
  const { node, timeline } = play;
  await killManager(play);
  await restart(play, 3n, forgetful(node.memory()));
  await node.handleItems();
  const again = node.connection.items.filter(({ item }) => item?.$case === "userEvent").length;
  timeline.say(`a B without memory is told ${again} events again`, again === 0 ? "good" : "bad");
  return again;
}

type Found = Pick<
  ForwardResult,
  | "relayed_while_manager_dead"
  | "events_held"
  | "sightings"
  | "told_again"
  | "pending_after"
  | "seconds"
>;

function resultOf(play: Play, claim: OnChainClaim, found: Found): ForwardResult {
  const { node, channelType } = play;
  const onChain = node.eventsOf("paymentForwarded").filter(({ value }) => value.claimFromOnchain);
  const fee = Number(onChain[0]?.value.totalFeeMsat ?? 0n);
  const early = found.sightings.some(({ removed, held }) => !removed && !held);
  const acked = found.sightings.some(({ removed, held }) => removed && !held);
  const received = receivedSat(play);
  return {
    ok:
      onChain.length === 1 &&
      fee === Number(FEE_MSAT) &&
      found.relayed_while_manager_dead &&
      acked &&
      !early &&
      found.told_again === 0 &&
      received === EXPECTED_SAT &&
      found.pending_after === 0,
    channel_type: channelType,
    commitment_txid: claim.commitmentTxid,
    htlc_success_txid: claim.successTxid,
    height: claim.height,
    claimed_sat: claim.claimedSat,
    received_sat: received,
    forwarded_from_onchain: onChain.length,
    total_fee_msat: fee,
    acked_before_removal: early,
    user_events: node.told.map(({ event }) => event.$case),
    ...found,
  };
}
