/** Which channels have an accepted update that is not completed yet, as told on one stream. */
import { toHex } from "@farwatch/protocol/bytes";
import type { UpdateChannelResponse } from "@farwatch/protocol/gen/manager/v1/manager_service";

export class OpenUpdates {
  /** Newest accepted id by channel, while it is above the newest completed one. */
  readonly #accepted = new Map<string, bigint>();

  get none(): boolean {
    return this.#accepted.size === 0;
  }

  told({ item }: UpdateChannelResponse): void {
    if (item === undefined || item.$case === "refused") return;
    const { channelId, updateId } = item.value;
    const id = toHex(channelId);
    const accepted = this.#accepted.get(id);
    if (item.$case === "accepted") {
      if (accepted === undefined || updateId > accepted) this.#accepted.set(id, updateId);
    } else if (accepted !== undefined && updateId >= accepted) {
      this.#accepted.delete(id);
    }
  }
}
