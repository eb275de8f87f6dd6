/**
 * The real stores under the world's clock and crash points. A crash before a commit loses it; what was
 * handed to SQLite's thread is let finish, because that thread is only stopped with the process.
 */
import { join } from "node:path";
import type { ManagerKey } from "@farwatch/protocol/ids";
import { openManagerStore } from "@farwatch/manager-service/store/sqlite/sqlite-store";
import type { ManagerStore } from "@farwatch/manager-service/store/store";
import { openSqliteStore } from "@farwatch/monitor-service/store/sqlite/sqlite-store";
import type { MonitorStore } from "@farwatch/monitor-service/store/store";
import { REGTEST_CHAIN_HASH } from "../../harness/channel/setup.js";
import type { Life } from "./life.js";
import { never } from "./life.js";
import { seededBytes } from "./seeded.js";
import type { Surroundings } from "./surroundings.js";

/** The files of one process: only one life has them open. */
export class SqliteFiles {
  #closed: Promise<void> = Promise.resolve();

  constructor(private readonly around: Surroundings) {}

  async manager(life: Life, managerKey: ManagerKey): Promise<ManagerStore> {
    const file = join(this.around.folder, "manager.db");
    const open = () => openManagerStore({ file, chainHash: REGTEST_CHAIN_HASH, managerKey });
    const store = await this.#opened(life, open);
    const calls = this.#calls(life);
    return {
      load: () => calls.read(() => store.load()),
      transact: (changes) => calls.write(() => store.transact(changes), changes.length),
      range: (...call) => calls.read(() => store.range(...call)),
      close: () => calls.read(() => store.close()),
    };
  }

  async monitor(life: Life): Promise<MonitorStore> {
    const path = join(this.around.folder, `${life.owner}.db`);
    const randomBytes = seededBytes(`${life.owner} store`);
    const open = () => openSqliteStore({ path, chainHash: REGTEST_CHAIN_HASH, randomBytes });
    const store = await this.#opened(life, open);
    const calls = this.#calls(life);
    return {
      load: () => calls.read(() => store.load()),
      readLog: (...call) => calls.read(() => store.readLog(...call)),
      transact: (ops) => calls.write(() => store.transact(ops), ops.length),
      findCounterpartyCommitment: (...call) =>
        calls.read(() => store.findCounterpartyCommitment(...call)),
      findAnyCommitment: (head) => calls.read(() => store.findAnyCommitment(head)),
      findUpdate: (...call) => calls.read(() => store.findUpdate(...call)),
      findPenalties: (...call) => calls.read(() => store.findPenalties(...call)),
      readBack: (...call) => calls.read(() => store.readBack(...call)),
      readWatchPayload: (channelNo) => calls.read(() => store.readWatchPayload(channelNo)),
      readSnapshot: (channelNo) => calls.read(() => store.readSnapshot(channelNo)),
      close: () => calls.read(() => store.close()),
    };
  }

  async #opened<S extends { close(): Promise<void> }>(
    life: Life,
    open: () => Promise<S>,
  ): Promise<S> {
    const { pump } = this.around;
    const store = await pump.outside(this.#closed.then(open));
    const close = (): void => void (this.#closed = pump.outside(store.close()));
    if (life.alive) life.atEnd(close);
    else close();
    return life.guard(Promise.resolve(store));
  }

  #calls(life: Life) {
    const { pump, points } = this.around;
    const read = <T>(work: () => Promise<T>): Promise<T> =>
      life.alive ? life.guard(pump.outside(work())) : never();
    return {
      read,
      write: async (work: () => Promise<void>, size: number): Promise<void> => {
        if (size > 0) points.pass(`${life.owner}: before commit`, life);
        await read(work);
        if (size > 0) points.pass(`${life.owner}: after commit`, life);
        if (!life.alive) await never();
      },
    };
  }
}
