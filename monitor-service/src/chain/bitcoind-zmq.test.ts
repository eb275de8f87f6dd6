/** ZMQ is only a hint: real, strange and absent publishers (reliability F-37). */
import assert from "node:assert/strict";
import { must } from "@farwatch/protocol/assert";
import { Publisher } from "zeromq";
import { openZmqHints, type ZmqHints } from "./bitcoind-zmq.js";
import { eventually } from "./testing/quiet.js";

describe("ZMQ hints", () => {
  const open: ZmqHints[] = [];
  const publishers: Publisher[] = [];
  afterEach(async () => {
    for (const hints of open.splice(0)) await hints.close();
    for (const publisher of publishers.splice(0)) publisher.close();
  });
  async function publish(endpoint: string): Promise<{ publisher: Publisher; endpoint: string }> {
    const publisher = new Publisher({ linger: 0 });
    publishers.push(publisher);
    await publisher.bind(endpoint);
    return { publisher, endpoint: must(publisher.lastEndpoint, "endpoint") };
  }
  async function counted(endpoint: string): Promise<{ hints: number; close(): Promise<void> }> {
    const counter = { hints: 0, close: async () => hints.close() };
    const hints = await openZmqHints(endpoint, () => void counter.hints++);
    open.push(hints);
    return counter;
  }

  it("hints once when connected and once per block, whatever the message holds", async () => {
    const { publisher, endpoint } = await publish("tcp://127.0.0.1:*");
    const counter = await counted(endpoint);
    await eventually("connection", () => counter.hints === 1);
    const frames = [["hashblock", "x".repeat(32), "1234"], ["hashblock"], ["hashblock", ""]];
    // A subscription takes effect a moment after the connection stands.
    await eventually("first message", async () => {
      await publisher.send(must(frames[0], "frames"));
      return counter.hints > 1;
    });
    for (const message of frames) {
      const before = counter.hints;
      await publisher.send(message);
      await eventually("hint", () => counter.hints > before);
    }
    await publisher.send(["hashtx", "not ours"]);
    const before = counter.hints;
    await publisher.send(["hashblock", "z"]);
    await eventually("next hint", () => counter.hints === before + 1);
  });

  it("hints again when the publisher comes back", async () => {
    const { publisher, endpoint } = await publish("tcp://127.0.0.1:*");
    const counter = await counted(endpoint);
    await eventually("connection", () => counter.hints === 1);
    publisher.close();
    await eventually("rebind", () =>
      publish(endpoint).then(
        () => true,
        () => false,
      ),
    );
    await eventually("second connection", () => counter.hints === 2);
  });

  it("is silent on an endpoint where nobody is, and closes all the same", async () => {
    const counter = await counted("tcp://127.0.0.1:9");
    await counter.close();
    assert.equal(counter.hints, 0);
  });

  it("throws at once on text that is no endpoint", async () => {
    await assert.rejects(counted("not an endpoint"));
  });
});
