/**
 * npm run demo [-- --json] [-- --keep] [-- --channel-type=anchors_zero_fee_htlc]
 * Runs the breach story on a real regtest chain with real processes; exits non-zero when anything
 * differs from what it must be.
 */
import { parseArgs } from "node:util";
import type { ChannelType } from "@farwatch/protocol/channel";
import { runBreach, type Stage } from "./breach.js";
import { Timeline } from "./timeline.js";

const TYPES: readonly ChannelType[] = ["static_remote_key", "anchors_zero_fee_htlc"];

const { values } = parseArgs({
  options: {
    json: { type: "boolean", default: false },
    keep: { type: "boolean", default: false },
    "channel-type": { type: "string", default: "static_remote_key" },
  },
});
const channelType = TYPES.find((type) => type === values["channel-type"]);
if (channelType === undefined) {
  console.error(`--channel-type must be one of ${TYPES.join(", ")}`);
  process.exit(2);
}

let stage: Stage | undefined;
const timeline = new Timeline(false);
let ok = false;
try {
  const result = await runBreach(channelType, timeline, (built) => (stage = built));
  ok = result.ok;
  timeline.chapter(ok ? "Nothing was lost." : "SOMETHING DIFFERS: see the last line of --json");
  timeline.say(`${result.confiscated_sat} sat taken back in ${result.justice_txids.join(", ")}`);
  if (values.json) console.log(JSON.stringify(result));
} catch (error) {
  console.error(error);
  if (values.json) console.log(JSON.stringify({ ok: false, error: String(error) }));
} finally {
  await stage?.cluster.stop();
  if (stage !== undefined && values.keep) await keepRunning(stage);
  await stage?.bitcoind.stop();
}
process.exit(ok ? 0 : 1);

async function keepRunning({ bitcoind }: Stage): Promise<void> {
  const { rpcUrl, user, password } = bitcoind;
  console.log(`bitcoind keeps running at ${rpcUrl}; query it, for example:`);
  const body = '{"method":"getblockchaininfo","params":[]}';
  console.log(`  curl --user ${user}:${password} --data-binary '${body}' ${rpcUrl}`);
  console.log("Ctrl-C ends it.");
  await new Promise((resolve) => {
    process.once("SIGINT", resolve);
    setInterval(() => undefined, 60_000);
  });
}
