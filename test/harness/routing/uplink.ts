/**
 * A node's way to whatever session it has with its manager. An update whose answer was lost is sent
 * again in the next session, same id, same bytes, until it is completed or refused.
 */
import type { ChannelId } from "@farwatch/protocol/ids";
import type { Completed } from "@farwatch/protocol/gen/manager/v1/manager_service";
import { UpdateRefused, type ManagerConnection } from "./manager-connection.js";

export class Uplink<C extends ManagerConnection = ManagerConnection> {
  #wakers: (() => void)[] = [];

  constructor(private current: C) {}

  get connection(): C {
    return this.current;
  }

  /** Updates without an answer go to the new session, in the order they were first sent. */
  use(connection: C): void {
    this.current = connection;
    const wakers = this.#wakers;
    this.#wakers = [];
    for (const wake of wakers) wake();
  }

  async send(id: ChannelId, updateId: bigint, payload: Uint8Array): Promise<Completed> {
    for (;;) {
      const { current } = this;
      try {
        return await current.update(id, updateId, payload);
      } catch (error) {
        if (error instanceof UpdateRefused) throw error;
        if (current === this.current) {
          await new Promise<void>((resolve) => this.#wakers.push(resolve));
        }
      }
    }
  }
}
