/**
 * The log: one JSON object a line on stdout, facts in fields and a fixed short message. Fields that
 * could name a secret are redacted whatever the caller does; an error is told by its name and frames
 * only, because a message may quote the value it complains about.
 */
import { pino, type DestinationStream } from "pino";

export type Facts = Readonly<Record<string, unknown>>;

export interface Log {
  debug(facts: Facts, message: string): void;
  info(facts: Facts, message: string): void;
  warn(facts: Facts, message: string): void;
  error(facts: Facts, message: string): void;
}

export const LOG_LEVELS = ["debug", "info", "warn", "error", "silent"] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

/** Field names that hold, or could hold, what opens money; on the top level and two below. */
export const REDACTED_FIELDS = [
  "preimage",
  "preimages",
  "secret",
  "seed",
  "perCommitmentSecret",
  "monitorSecret",
  "privateKey",
  "password",
  "credentials",
  "authorization",
  "payload",
] as const;

/** Deep enough to find the place, short enough for one line. */
const MAX_FRAMES = 12;

/** What may be said about an unexpected error: its name and where it came from, not its message. */
export function errorFacts(error: unknown): Facts {
  if (!(error instanceof Error)) return { error: typeof error };
  const frames = (error.stack ?? "")
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line.startsWith("at "))
    .slice(0, MAX_FRAMES);
  return { error: error.name, frames };
}

/** Lines written before the process dies must not be lost, so the default destination is synchronous. */
export function createLog(level: LogLevel, destination?: DestinationStream): Log {
  return pino(
    {
      level,
      base: { service: "farwatch-monitor" },
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      serializers: { err: errorFacts },
      redact: {
        paths: REDACTED_FIELDS.flatMap((field) => [field, `*.${field}`, `*.*.${field}`]),
        censor: "[redacted]",
      },
    },
    destination ?? pino.destination({ dest: 1, sync: true }),
  );
}
