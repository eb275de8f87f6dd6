/** ManagerService's edge for LDK's own bytes: first states, monitors to start from, checkpoints. */
import assert from "node:assert/strict";
import { refuse } from "@farwatch/protocol/reasons";
import { err } from "@farwatch/protocol/result";
import {
  Bench,
  createCertificates,
  failureIn,
  sessionMetadata,
  type Certificates,
} from "./manager-rpc-bench.js";

describe("ManagerService, LDK's bytes", () => {
  let certificates: Certificates;
  let bench: Bench;
  before(async () => {
    certificates = await createCertificates();
  });
  beforeEach(() => {
    bench = new Bench(certificates);
  });
  afterEach(() => bench.close());

  it("takes exactly one first state, in our words or in LDK's", async () => {
    const asked: string[] = [];
    const client = await bench.open({
      watchChannel: (_, { kind, bytes: first }) => {
        asked.push(`${kind} ${first.length}`);
        return Promise.resolve(err(refuse("unknownRole", "the host was asked")));
      },
    });
    const watch = async (ours: number, ldk: number | undefined): Promise<string | undefined> => {
      const ldkMonitor = ldk === undefined ? undefined : Buffer.alloc(ldk);
      const request = { initialState: Buffer.alloc(ours), firstUpdateId: 0n, ldkMonitor };
      const failure = await failureIn((done) =>
        client.watchChannel(request, sessionMetadata(), done),
      );
      return failure.refusal?.details["field"] ?? failure.refusal?.reason;
    };
    assert.equal(await watch(0, undefined), "initial_state or ldk_monitor");
    assert.equal(await watch(1, 2), "ldk_monitor");
    assert.equal(await watch(1, undefined), "unknownRole");
    assert.equal(await watch(0, 2), "unknownRole");
    assert.deepEqual(asked, ["initialState 1", "ldkMonitor 2"]);
  });
});
