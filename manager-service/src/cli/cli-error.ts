/** Input that is no good: told in one line, exit code 1. The message quotes nothing secret. */
export class CliError extends Error {
  override readonly name = "CliError";
}
