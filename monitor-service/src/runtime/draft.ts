/**
 * What one decision wants written, collected while it moves memory. It lives for one synchronous turn:
 * begun, filled and handed to the store before anything else runs.
 */
import { encodeState } from "../monitor/codec.js";
import { encodePenaltyState } from "../monitor/penalty/codec.js";
import type { CommitmentNumber } from "@farwatch/protocol/ids";
import type { ArchiveRow, StoreOp } from "../store/store.js";
import type { AnyEntry, PendingEvent } from "./monitors.js";

export interface DraftedEvent {
  readonly entry: AnyEntry;
  readonly pending: PendingEvent;
}

/** A channel whose state is on disk once the decision is. */
export interface Moved {
  readonly entry: AnyEntry;
  /** undefined: a channel of which no commitment of ours is known. */
  readonly holderFloor: CommitmentNumber | undefined;
  settle(): void;
}

export class Draft {
  readonly #ops: StoreOp[] = [];
  readonly #touched = new Set<AnyEntry>();
  readonly #snapshots = new Set<AnyEntry>();
  readonly events: DraftedEvent[] = [];
  readonly archived: AnyEntry[] = [];

  write(op: StoreOp): void {
    this.#ops.push(op);
  }

  /** The channel's state moved. */
  touch(entry: AnyEntry): void {
    this.#touched.add(entry);
  }

  /** The channel's state at the end of this decision is written whole. */
  snapshot(entry: AnyEntry): void {
    this.#snapshots.add(entry);
  }

  /** The channel leaves what is served, with its newest state. */
  archive(entry: AnyEntry, row: ArchiveRow): void {
    this.touch(entry);
    this.snapshot(entry);
    this.archived.push(entry);
    this.write({ op: "putArchive", row });
  }

  addEvent(entry: AnyEntry, pending: PendingEvent): void {
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
      const row = { channelNo, logRowId, bytes: encodeEntry(entry) };
      this.write({ op: "putSnapshot", row });
      entry.rowsSinceSnapshot = 0;
    }
    return this.#ops;
  }

  /** States that become the durable ones with this commit. */
  moved(): readonly Moved[] {
    return [...this.#touched].map((entry) => {
      if (entry.kind === "penaltyOnly") {
        const { state } = entry;
        return { entry, holderFloor: undefined, settle: () => void (entry.durable = state) };
      }
      const { state } = entry;
      const { holderFloor } = state;
      return { entry, holderFloor, settle: () => void (entry.durable = state) };
    });
  }
}

const encodeEntry = (entry: AnyEntry): Uint8Array =>
  entry.kind === "full" ? encodeState(entry.state) : encodePenaltyState(entry.state);
