/**
 * What a comparison ends in. A problem is a conclusion of the recording that the core did not reach, or
 * reached otherwise; a deliberate difference is a defect of the recorded LDK that must not be repeated,
 * and stands here only after the better behaviour was seen.
 */
export type DeliberateName =
  /** LDK tells a preimage again when a reorganisation confirms its spend again; we told it, and once. */
  | "preimage_told_once"
  /** LDK broadcasts claims whose inputs the counterparty has taken; we do not. */
  | "no_futile_claims"
  /** LDK keeps a joint claim that lost an input, and with it loses the others; we split it. */
  | "joint_claim_split";

export interface Deliberate {
  readonly name: DeliberateName;
  readonly detail: string;
}

export interface Verdict {
  readonly problems: readonly string[];
  readonly deliberate: readonly Deliberate[];
}

export const joined = (verdicts: readonly Verdict[]): Verdict => ({
  problems: verdicts.flatMap(({ problems }) => problems),
  deliberate: verdicts.flatMap(({ deliberate }) => deliberate),
});

/** Lines of a diff between two multisets: `-` is recorded and missing, `+` is ours and not recorded. */
export function multisetDiff(
  what: string,
  recorded: readonly string[],
  actual: readonly string[],
): readonly string[] {
  const left = [...actual];
  const missing = recorded.filter((line) => {
    const at = left.indexOf(line);
    if (at >= 0) left.splice(at, 1);
    return at < 0;
  });
  return [
    ...missing.map((line) => `- ${what}: ${line}`),
    ...left.map((line) => `+ ${what}: ${line}`),
  ];
}
