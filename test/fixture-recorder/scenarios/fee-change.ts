import { must } from "@farwatch/protocol/assert";
import { Transaction } from "bitcoinjs-lib";
import { inputsOf } from "../chain/recorded-chain.js";
import type { Funding } from "../fixture/document.js";
import { ldk } from "../ldk/module.js";
import type { LightningNode } from "../node/lightning-node.js";
import { pay } from "../node/payments.js";
import { expiries, finish, nth, offer, openPair, settled, type Scenario } from "./scenario.js";

const RAISED = 3;
/** LDK bumps a claim every 15 blocks while there is time. */
const BLOCKS_UNMINED = 20;

export const feeChange: Scenario = {
  name: "fee_change",
  doc: "update_fee raises the commitment feerate (h3 becomes dust by it on static_remotekey; is dust anyway on anchors); B force closes; its commitment is mined alone and the estimate doubles while the claims stay unmined for 20 blocks: RBF",
  nodes: ["A", "B"],
  play: (run) => {
    const { a, b, link } = openPair(run);
    const { draw, network } = run;
    const delta = expiries(run, 3);
    const count = (what: string) => draw.int(`number of ${what}`, 1, 2);
    const claimed = { label: "h1_claimed_by_B", count: count("h1"), finalDelta: nth(delta, 0) };
    const returned = { label: "h2_timeout_by_B", count: count("h2"), finalDelta: nth(delta, 1) };
    const known = offer(run, { from: a, to: b, ...claimed });
    offer(run, { from: b, to: a, ...returned });
    // Between what is trimmed at the drawn feerate (BOLT 3) and what is at three times as much.
    const small = BigInt(draw.int("h3 sat", 2_900, 3_200)) * 1_000n;
    const anchors = run.options.channelType === "anchors_zero_fee_htlc_tx";
    const amountMsat = anchors ? run.dustMsat("h3") : small;
    run.htlcs["h3_dust"] = pay(a, b, { amountMsat, finalDelta: nth(delta, 2) });
    network.settle();
    const before = feerateOf(a);
    run.changeFees({
      AnchorChannelFee: run.fees.AnchorChannelFee * RAISED,
      NonAnchorChannelFee: run.fees.NonAnchorChannelFee * RAISED,
    });
    a.manager.timer_tick_occurred();
    network.settle();
    run.meta = { channel_feerate: [before, feerateOf(a)] };
    network.note(`channel feerate ${before} -> ${feerateOf(a)}`);
    a.autoClaim = true;
    settled(run, b, a, "payment at the new feerate");
    network.disconnect(link);
    for (const hash of known) b.claim(hash);
    b.forceClose();
    network.settle();
    network.mineExactly([commitmentOf(b, must(run.fundings[0], "the channel"))]);
    run.changeFees({ UrgentOnChainSweep: run.fees.UrgentOnChainSweep * 2 });
    for (let block = 0; block < BLOCKS_UNMINED; block++) network.mineExactly([]);
    network.mine();
    finish(run);
  },
};

function feerateOf(node: LightningNode): number {
  const [channel] = node.manager.list_channels();
  const feerate = must(channel, "an open channel").get_feerate_sat_per_1000_weight();
  if (feerate instanceof ldk.Option_u32Z_Some) return feerate.some;
  throw new Error("the channel has no feerate");
}

/** Txid of the commitment that the node has broadcast. */
function commitmentOf(node: LightningNode, funding: Funding): string {
  const sent = node.timeline.entries.flatMap((entry) =>
    entry.type === "broadcast" ? entry.txs : [],
  );
  const channel = `${funding.txid}:${funding.vout}`;
  const spends = ({ raw = "" }) => inputsOf(Transaction.fromHex(raw)).includes(channel);
  return must(sent.find(spends), "a broadcast commitment").txid;
}
