/** Updates that a node has sent and whose `completed` it waits for, per channel and in order. */
import { toHex } from "@farwatch/protocol/bytes";
import type {
  Completed,
  UpdateChannelRequest,
  UpdateChannelResponse,
} from "@farwatch/protocol/gen/manager/v1/manager_service";
import type { ChannelId } from "@farwatch/protocol/ids";
import { UpdateRefused } from "../../harness/routing/manager-connection.js";

interface Open {
  readonly id: string;
  readonly updateId: bigint;
  /** undefined: only waited for. */
  readonly request: UpdateChannelRequest | undefined;
  readonly resolve: (completed: Completed) => void;
  readonly reject: (error: Error) => void;
}

export class OpenUpdates {
  #open: Open[] = [];
  readonly #completed = new Map<string, Completed>();

  add(id: ChannelId, updateId: bigint, request: UpdateChannelRequest): Promise<Completed> {
    return this.#until(id, updateId, request);
  }

  untilCompleted(id: ChannelId, updateId: bigint): Promise<Completed> {
    const known = this.#completed.get(id);
    if (known !== undefined && known.updateId >= updateId) return Promise.resolve(known);
    return this.#until(id, updateId, undefined);
  }

  /** What a new session must be sent again. */
  requests(): readonly UpdateChannelRequest[] {
    return this.#open.flatMap(({ request }) => request ?? []);
  }

  /** The node's process is gone: whoever waits must ask its next life. */
  lose(): void {
    const open = this.#open;
    this.#open = [];
    for (const { reject } of open) reject(new Error("the node was restarted"));
  }

  answered({ item }: UpdateChannelResponse): void {
    if (item?.$case === "completed") {
      const id = toHex(item.value.channelId);
      this.#completed.set(id, item.value);
      const upTo = item.value.updateId;
      for (const { resolve } of this.#take(id, (updateId) => updateId <= upTo)) resolve(item.value);
    }
    if (item?.$case === "refused") {
      const { channelId, updateId, error } = item.value;
      const refusal = new UpdateRefused(error?.reason ?? "unknown", error?.message ?? "");
      for (const { reject } of this.#take(toHex(channelId), (id) => id === updateId)) {
        reject(refusal);
      }
    }
  }

  #until(
    id: string,
    updateId: bigint,
    request: UpdateChannelRequest | undefined,
  ): Promise<Completed> {
    return new Promise((resolve, reject) => {
      this.#open.push({ id, updateId, request, resolve, reject });
    });
  }

  #take(id: string, match: (updateId: bigint) => boolean): readonly Open[] {
    const taken = this.#open.filter((open) => open.id === id && match(open.updateId));
    this.#open = this.#open.filter((open) => !taken.includes(open));
    return taken;
  }
}
