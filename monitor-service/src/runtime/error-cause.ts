/** Errors as log fields. Their messages are not logged as they are: some print values. */
import { AssertionError } from "@farwatch/protocol/assert";

/** What may be logged of an error: assertNever prints the value it met, which may hold secrets. */
export function causeOf(error: unknown): string {
  if (!(error instanceof Error)) return "unknown";
  const place = /\n\s+at (.*)/.exec(error.stack ?? "")?.[1] ?? "";
  const speaks = error instanceof AssertionError && !error.message.startsWith("unreachable");
  return `${error.name}${speaks ? `: ${error.message}` : ""} ${place}`.trim();
}
