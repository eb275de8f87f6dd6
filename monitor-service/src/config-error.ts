/** A configuration that cannot be meant. Names the key, never a value: a value may be a secret. */
export class ConfigError extends Error {
  override readonly name = "ConfigError";
  constructor(
    readonly key: string,
    problem: string,
    options?: ErrorOptions,
  ) {
    super(`${key}: ${problem}`, options);
  }

  /** An unknown key before anything else: misspelled, it is why another one is missing. */
  static fromIssues(issues: readonly Issue[]): ConfigError {
    const issue = issues.find(({ keys }) => keys !== undefined) ?? issues[0];
    if (issue === undefined) return new ConfigError("config", "not understood");
    const at = issue.path.map(String);
    const [unknown] = issue.keys ?? [];
    return unknown === undefined
      ? new ConfigError(at.join(".") || "config", issue.message)
      : new ConfigError([...at, unknown].join("."), "no such option");
  }
}

interface Issue {
  readonly path: readonly PropertyKey[];
  readonly message: string;
  readonly keys?: readonly string[];
}
