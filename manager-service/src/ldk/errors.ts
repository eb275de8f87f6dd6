/** What a RemoteWatch says when it cannot go on. Programs read `code`; the text is for people. */
import { REASONS, type Refusal } from "@farwatch/protocol/reasons";

export type RemoteWatchFault =
  /** The blob that was saved beside the ChannelManager is not one, or is damaged. */
  | "toldUnreadable"
  /** The manager-service accepted more than the saved ChannelManager knows of: it is an older copy. */
  | "staleSnapshot"
  /** The manager-service has less than LDK was told to be durable. */
  | "managerLost"
  /** What the manager-service holds of a channel does not make the ChannelMonitor that is wanted. */
  | "replicaUnusable"
  /** The manager-service refused for good; `refusal` says why. */
  | "refused"
  /** A snapshot was reported as saved after a newer one. */
  | "snapshotOutOfOrder"
  /** Called in the wrong order: see the class. */
  | "misused"
  | "stopped"
  /** A callback failed inside; nothing is handed to LDK any more. */
  | "internal";

export class RemoteWatchError extends Error {
  override readonly name = "RemoteWatchError";
  constructor(
    readonly code: RemoteWatchFault,
    message: string,
    readonly refusal?: Refusal,
  ) {
    super(message);
  }
}

/** What a person must look at. Nothing secret is in it. */
export interface WatchAlarm {
  /** A reason of proto/src/reasons.ts, a code of the manager's own alarms, or a RemoteWatchFault. */
  readonly code: string;
  readonly text: string;
  /** Lowercase hex. */
  readonly channelId?: string | undefined;
}

/** Refused now and perhaps not later: the same bytes go again. */
export const isPassing = ({ reason }: Refusal): boolean => {
  const { retry } = REASONS[reason];
  return retry === "sameBytes" || reason === "sessionNotOpen" || reason === "streamReplaced";
};

export const textOf = (error: unknown): string =>
  error instanceof Error ? error.message : String(error);
