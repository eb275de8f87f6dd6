/** The example of docs/ldk.md as it stands there: it opens a channel, pays, dies, comes back and pays again. */
import assert from "node:assert/strict";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { credentials } from "@grpc/grpc-js";
import { startNode, type Application } from "@farwatch/manager-service/ldk/example";
import { ScriptedManager } from "@farwatch/manager-service/ldk/testing/scripted-manager";
import { must } from "@farwatch/protocol/assert";
import { ldk, loadLdk } from "../../fixture-recorder/ldk/module.js";
import { eventHandler } from "../../fixture-recorder/ldk/traits.js";
import { InProcessNode, NodeIdentity } from "../../harness/in-process-ldk/node.js";
import { Pair } from "../../harness/in-process-ldk/pair.js";
import { PaperChain } from "../../harness/in-process-ldk/paper-chain.js";

const ROOT = path.resolve(path.dirname(fileURLToPath(import.meta.url)), "../../../..");
const read = (file: string): string => fs.readFileSync(path.join(ROOT, file), "utf8");

/** Manager bytes behind their length, then what RemoteWatch gave. */
function fileDisk(file: string): Application["disk"] {
  return {
    load() {
      if (!fs.existsSync(file)) return undefined;
      const bytes = fs.readFileSync(file);
      const length = bytes.readUInt32BE(0);
      const manager = Uint8Array.from(bytes.subarray(4, 4 + length));
      return { manager, told: Uint8Array.from(bytes.subarray(4 + length)) };
    },
    async save({ manager, told }) {
      const length = Buffer.alloc(4);
      length.writeUInt32BE(manager.length);
      const handle = await fs.promises.open(`${file}.new`, "w");
      await handle.writeFile(Buffer.concat([length, manager, told]));
      await handle.sync();
      await handle.close();
      await fs.promises.rename(`${file}.new`, file);
    },
  };
}

/** A node of the harness as the example wants one. */
class ExampleNode {
  readonly alarms: string[] = [];
  #node: InProcessNode | undefined;

  constructor(
    private readonly identity: NodeIdentity,
    private readonly address: string,
    private readonly file: string,
  ) {}

  get node(): InProcessNode {
    return must(this.#node, "a node");
  }

  app(): Application {
    const build = (...parts: ConstructorParameters<typeof InProcessNode>) => {
      this.#node = new InProcessNode(...parts);
      return this.#node.manager;
    };
    return {
      ldk,
      readers: this.identity.readers,
      manager: { address: this.address, credentials: credentials.createInsecure() },
      nodeKey: new Uint8Array(33).fill(2),
      disk: fileDisk(this.file),
      newManager: (watch) => build(this.identity, watch),
      readManager: (manager, watch, monitors) => build(this.identity, watch, { manager, monitors }),
      peersOf: () => this.node.peers,
      connectBlocks: () => this.node.catchUp(),
      events: eventHandler((event) => this.node.take(event)),
      walletEvents: () => undefined,
      wake: () => undefined,
      alarm: (text) => this.alarms.push(text),
    };
  }
}

describe("the example of manager-service/docs/ldk.md", function () {
  this.timeout(60_000);
  const directory = fs.mkdtempSync(path.join(os.tmpdir(), "farwatch-example-"));
  const manager = new ScriptedManager();
  before(async () => {
    await loadLdk();
    await manager.start();
  });
  after(() => {
    manager.stop();
    fs.rmSync(directory, { recursive: true, force: true });
  });

  it("stands in the page as it is compiled", () => {
    const source = read("manager-service/src/ldk/example.ts");
    const [, shown] = /\/\/ example\n([\s\S]*)\/\/ end of example/.exec(source) ?? [];
    assert.ok(read("manager-service/docs/ldk.md").includes(must(shown, "an example")));
    assert.ok(must(shown, "an example").split("\n").length <= 41);
  });

  it("runs", async () => {
    const chain = new PaperChain();
    const identity = (name: string, fill: number) =>
      new NodeIdentity({ name, seed: new Uint8Array(32).fill(fill), chain, anchors: true });
    const example = new ExampleNode(
      identity("A", 1),
      manager.address,
      path.join(directory, "node"),
    );
    let running = await startNode(example.app());
    const pair = new Pair(chain, example.node, new InProcessNode(identity("B", 2)));
    const settle = async () => {
      for (let quiet = 0; quiet < 4;) {
        await running.turn();
        const moved = pair.exchange();
        await sleep(5);
        quiet = moved || running.watch.needsSnapshot ? 0 : quiet + 1;
      }
    };
    const pay = async () => {
      const hash = pair.pay(example.node, pair.b, 5_000_000n);
      await settle();
      assert.ok(example.node.has(ldk.Event_PaymentSent, hash));
    };
    pair.connect();
    pair.startChannel(example.node, 1_000_000n, 0n);
    await settle();
    for (let n = 0; n < 4; n++) pair.mine();
    await settle();
    await pay();

    pair.disconnect();
    await running.watch.stop();
    running = await startNode(example.app());
    pair.a = example.node;
    await settle();
    pair.connect();
    await settle();
    assert.equal(example.node.manager.list_usable_channels().length, 1);
    await pay();
    await running.watch.stop();
    assert.deepEqual(example.alarms, []);
  });
});
