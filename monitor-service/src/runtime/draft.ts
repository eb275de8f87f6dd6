/**
 * What one decision wants written, collected while it moves memory. It lives for one synchronous turn:
 * begun, filled and handed to the store before anything else runs.
 */
import { encodeState } from "../monitor/codec.js";
import type { MonitorState } from "../monitor/state.js";
import type { ArchiveRow, StoreOp } from "../store/store.js";
import type { ChannelEntry, PendingEvent } from "./monitors.js";

export interface DraftedEvent {
  readonly entry: ChannelEntry;
  readonly pending: PendingEvent;
}

export class Draft {
  readonly #ops: StoreOp[] = [];
  readonly #touched = new Set<ChannelEntry>();
  readonly #snapshots = new Set<ChannelEntry>();
  readonly events: DraftedEvent[] = [];
  readonly archived: ChannelEntry[] = [];

  write(op: StoreOp): void {
    this.#ops.push(op);
  }

  /** The channel's state moved. */
  touch(entry: ChannelEntry): void {
    this.#touched.add(entry);
  }

  /** The channel's state at the end of this decision is written whole. */
  snapshot(entry: ChannelEntry): void {
    this.#snapshots.add(entry);
  }

  /** The channel leaves what is served, with its newest state. */
  archive(entry: ChannelEntry, row: ArchiveRow): void {
    this.touch(entry);
    this.snapshot(entry);
    this.archived.push(entry);
    this.write({ op: "putArchive", row });
  }

  addEvent(entry: ChannelEntry, pending: PendingEvent): void {
    this.events.push({ entry, pending });
    this.write({
      op: "insertEvent",
      row: { rowId: pending.rowId, channelNo: entry.channelNo, event: pending.event },
    });
  }

  /** All operations, snapshots last. Call once, at the end of the turn. */
  finish(): readonly StoreOp[] {
    for (const entry of this.#snapshots) {
      const { channelNo, headRowId: logRowId } = entry;
      const row = { channelNo, logRowId, bytes: encodeState(entry.state) };
      this.write({ op: "putSnapshot", row });
      entry.rowsSinceSnapshot = 0;
    }
    return this.#ops;
  }

  /** States that become the durable ones with this commit. */
  moved(): readonly { readonly entry: ChannelEntry; readonly state: MonitorState }[] {
    return [...this.#touched].map((entry) => ({ entry, state: entry.state }));
  }
}
