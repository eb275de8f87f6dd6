/**
 * Runs a story as a program: [--json] [--keep] [--channel-type=anchors_zero_fee_htlc]. Exits non-zero when
 * anything differs from what it must be; with --json the last line says what was found.
 */
import { parseArgs } from "node:util";
import type { ChannelType } from "@farwatch/protocol/channel";
import type { Regtest } from "../harness/bitcoind/node.js";
import { Timeline } from "./timeline.js";

const TYPES: readonly ChannelType[] = ["static_remote_key", "anchors_zero_fee_htlc"];

/** What is to be ended. */
export interface DemoStage {
  readonly bitcoind: Regtest;
  readonly cluster: { stop(): Promise<void> };
}

export type Story<R> = (
  channelType: ChannelType,
  timeline: Timeline,
  onStage: (stage: DemoStage) => void,
) => Promise<R>;

/** `ending`: the last line for people. */
export async function runDemo<R extends { readonly ok: boolean }>(
  story: Story<R>,
  ending: (result: R) => string,
): Promise<never> {
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
  let stage: DemoStage | undefined;
  const timeline = new Timeline(false);
  let ok = false;
  try {
    const result = await story(channelType, timeline, (built) => (stage = built));
    ok = result.ok;
    timeline.chapter(ok ? "Nothing was lost." : "SOMETHING DIFFERS: see the last line of --json");
    timeline.say(ending(result));
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
}

async function keepRunning({ bitcoind }: DemoStage): Promise<void> {
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
