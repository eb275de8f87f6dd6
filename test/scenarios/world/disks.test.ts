/** The disk in memory keeps what both stores promise (their contracts), and a crash keeps a prefix. */
import assert from "node:assert/strict";
import { storeId } from "@farwatch/protocol/ids";
import { describeStoreContract as describeManagerStore } from "@farwatch/manager-service/store/store-contract";
import { describeStoreContract as describeMonitorStore } from "@farwatch/monitor-service/store/store-contract";
import { REGTEST_CHAIN_HASH } from "../../harness/channel/setup.js";
import { DiskSession } from "./disk.js";
import { CrashPoints, Life } from "./life.js";
import { ManagerDisk } from "./manager-disk.js";
import { MonitorDisk } from "./monitor-disk.js";
import { Pump, turn } from "./pump.js";

const place = <S>(open: (session: DiskSession) => S) => {
  const pump = new Pump();
  const points = new CrashPoints(undefined, () => undefined);
  return {
    open: () => Promise.resolve(open(new DiskSession(new Life("test"), pump, points))),
    remove: () => Promise.resolve(pump.end()),
  };
};

describeManagerStore("manager's store on the disk in memory", {
  create: () => {
    const disk = new ManagerDisk();
    return place((session) => disk.open(session));
  },
});

describeMonitorStore("monitor's store on the disk in memory", {
  create: () => {
    const disk = new MonitorDisk(storeId("5a".repeat(16)), REGTEST_CHAIN_HASH);
    return Promise.resolve(place((session) => disk.open(session)));
  },
});

describe("a disk in memory at a crash", () => {
  /** Three transactions at once, and a crash at the given point. */
  async function crashed(crashAt: number, lies = false) {
    const pump = new Pump();
    const life = new Life("test");
    const points = new CrashPoints(crashAt, () => life.end());
    const session = new DiskSession(life, pump, points, lies);
    const durable: string[] = [];
    const told: string[] = [];
    for (const name of ["a", "b", "c"]) {
      void session.write(name, () => void durable.push(name)).then(() => told.push(name));
    }
    for (let turns = 0; turns < 99; turns++) await turn();
    pump.end();
    return { durable: durable.join(""), told: told.join("") };
  }

  it("keeps a prefix, and everything it told", async () => {
    assert.deepEqual(await crashed(0), { durable: "", told: "" });
    assert.deepEqual(await crashed(1), { durable: "a", told: "" });
    assert.deepEqual(await crashed(2), { durable: "a", told: "a" });
    assert.deepEqual(await crashed(3), { durable: "ab", told: "a" });
    assert.deepEqual(await crashed(99), { durable: "abc", told: "abc" });
  });

  it("loses what it told when it lies", async () => {
    assert.deepEqual(await crashed(0, true), { durable: "", told: "abc" });
  });
});
