/**
 * `farwatch`: tools beside the services, one file for each subcommand. Exit codes: 0 done, 1 input that is
 * no good (one line on stderr says why), 2 a command line that cannot be meant.
 */
import { Command, CommanderError } from "commander";
import { serviceVersion } from "../observe/version.js";
import { CliError } from "./cli-error.js";
import { clnPluginCommand } from "./cln-plugin.js";
import { ldkCommand } from "./ldk.js";

const EXIT_FAILED = 1;
const EXIT_USAGE = 2;

/** Settles when the command is done; failures set the exit code and are told on stderr. */
export async function run(argv: readonly string[]): Promise<void> {
  process.stdout.on("error", stopQuietly);
  try {
    await commandLine().parseAsync([...argv]);
  } catch (error) {
    process.exitCode = exitCodeOf(error);
    if (!(error instanceof CommanderError)) say(error);
  }
}

function commandLine(): Command {
  const program = new Command("farwatch")
    .description("Tools beside farwatch-manager and farwatch-monitor.")
    .version(serviceVersion())
    .exitOverride();
  const commands = [ldkCommand(), clnPluginCommand()];
  for (const command of commands) program.addCommand(command);
  return program;
}

/** Whoever read the output has seen enough: `farwatch ldk decode monitor.bin | head`. */
function stopQuietly(error: NodeJS.ErrnoException): void {
  if (error.code !== "EPIPE") throw error;
  process.exit(EXIT_FAILED);
}

function exitCodeOf(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : EXIT_USAGE;
  return EXIT_FAILED;
}

/** What is no fault of the input is a defect here, and keeps its stack. */
function say(error: unknown): void {
  const told = error instanceof CliError ? error.message : stackOf(error);
  process.stderr.write(`farwatch: ${told}\n`);
}

const stackOf = (error: unknown): string =>
  error instanceof Error ? (error.stack ?? error.message) : "unknown failure";
