/** An LDK node as a process: `main.js PLAN.json`, driven over IPC by whoever forked it (ldk-process.ts). */
import fs from "node:fs";
import { must } from "@farwatch/protocol/assert";
import { commandsOf } from "./commands.js";
import { LightningNode } from "./lightning-node.js";
import type { CallMessage, NodeMessage } from "./protocol.js";

const file = must(process.argv[2], "a plan");
const node = await LightningNode.open(JSON.parse(fs.readFileSync(file, "utf8")));
const commands = commandsOf(node);

const say = (message: NodeMessage): void => {
  process.send?.(message);
};

/** Each answer in its own time: a `sync` that waits for bitcoind holds nobody up. */
async function answer({ id, name, ask }: CallMessage): Promise<void> {
  try {
    const command: (given: never) => unknown = commands[name];
    say({ type: "answer", id, answer: await command(ask as never) });
  } catch (error) {
    const message = error instanceof Error ? (error.stack ?? error.message) : String(error);
    say({ type: "failure", id, message });
  }
}

process.on("message", (call: CallMessage) => void answer(call));
process.once("disconnect", () => process.exit(0)); // the test is gone
process.once("SIGTERM", () => {
  node.stop().then(
    () => process.exit(0),
    () => process.exit(1),
  );
});
say({ type: "ready", nodeId: node.nodeId });
