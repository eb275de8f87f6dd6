/**
 * The command line: run the monitor (the default), ask a running one for its health, import keys, replay
 * recordings. Exit codes: 0 done, 1 cannot start, not healthy or not as recorded, 2 wrong configuration,
 * 70 ended on a failure and to be restarted. Nothing here installs a failpoint; a test-only entry point passes its own overrides.
 */
import { Command, CommanderError, Option as Flag } from "commander";
import { CurveUnavailable } from "@farwatch/protocol/curve/select-curve";
import { addKeysCommands } from "./cli-keys.js";
import { createApp, EXIT_FATAL, readTls, type App, type AppOverrides } from "./app.js";
import { isServing } from "./app-health.js";
import { ConfigError, loadConfig, type FlagValue, type MonitorConfig } from "./config.js";
import { OPTIONS } from "./config-options.js";
import { createLog, errorFacts, type Log } from "./observe/log.js";
import { serviceVersion } from "./observe/version.js";
import { replayCommand } from "./replay/command.js";
import { ReplayError } from "./replay/replay-error.js";
import { ImportError } from "./signer/import-keys.js";
import { SecretFileError } from "./signer/secret-file.js";
import { StoreFailure } from "./store/store.js";

export const EXIT_FAILED = 1;
export const EXIT_CONFIG = 2;

export interface RunOverrides extends AppOverrides {
  readonly env?: Readonly<Record<string, string | undefined>>;
}

/** `argv` as process.argv. Resolves when the service listens, or a subcommand is done; sets exitCode. */
export async function runMain(
  argv: readonly string[],
  overrides: RunOverrides = {},
): Promise<void> {
  try {
    await program(overrides).parseAsync([...argv]);
  } catch (error) {
    process.exitCode = exitCodeOf(error);
  }
}

function program(overrides: RunOverrides): Command {
  const root = new Command("farwatch-monitor")
    .description("Watches Lightning channels for a manager and claims on chain.")
    .version(serviceVersion())
    .exitOverride();
  withOptions(root.command("run", { isDefault: true }))
    .description("run the monitor; the default")
    .action(async (_, command: Command) => run(configOf(command, overrides), overrides));
  withOptions(root.command("health"))
    .description("exit 0 when the monitor on this host serves, else 1")
    .action(async (_, command: Command) => health(configOf(command, overrides)));
  addKeysCommands(root, { withOptions, configOf: (command) => configOf(command, overrides) });
  root.addCommand(
    replayCommand(
      {
        out: (text) => void process.stdout.write(text),
        err: (text) => void process.stderr.write(text),
      },
      () => (process.exitCode = EXIT_FAILED),
    ).exitOverride(),
  );
  return root;
}

function withOptions(command: Command): Command {
  command.option("--config <file>", "TOML file; every key of it can be a flag below");
  for (const { flag, kind, help, defaultValue } of OPTIONS) {
    if (flag === undefined) continue;
    const value = kind === "switch" ? "" : ` <${kind === "path" ? "file" : kind}>`;
    const shown = defaultValue === undefined ? "" : ` (default: ${defaultValue})`;
    command.option(flag + value, help + shown);
  }
  return command;
}

function configOf(command: Command, { env = process.env }: RunOverrides): MonitorConfig {
  const given: Readonly<Record<string, unknown>> = command.opts();
  const flags: Record<string, FlagValue> = {};
  for (const { key, flag } of OPTIONS) {
    if (flag === undefined) continue;
    const named = new Flag(flag);
    const value = given[named.attributeName()];
    // Commander takes `--no-x` for the opposite of an x that is on: false is what was given, true is nothing.
    if (named.negate) {
      if (value === false) flags[key] = true;
    } else if (typeof value === "string" || typeof value === "boolean") flags[key] = value;
  }
  const file = given["config"];
  return loadConfig({ file: typeof file === "string" ? file : undefined, flags, env });
}

async function run(config: MonitorConfig, overrides: RunOverrides): Promise<void> {
  const log = overrides.log ?? createLog(config.logLevel);
  const app = createApp(config, { ...overrides, log });
  stopOnSignals(app, log);
  endOnBug(log);
  await app.start();
}

async function health(config: MonitorConfig): Promise<void> {
  const { listen, tls } = config;
  const serving = await isServing({ listen, tls: readTls(tls), service: "" });
  process.stdout.write(`${serving ? "SERVING" : "NOT_SERVING"}\n`);
  if (!serving) process.exitCode = EXIT_FAILED;
}

/** The first signal stops in order; a second one ends the process where it is. */
function stopOnSignals(app: App, log: Log): void {
  let stopping = false;
  const onSignal = (signal: NodeJS.Signals): void => {
    if (stopping) {
      log.warn({ signal }, "second signal: ends at once");
      process.exit(EXIT_FAILED);
    }
    stopping = true;
    log.info({ signal }, "stopping");
    app.stop().then(
      () => {
        log.info({}, "stopped");
        process.exit(process.exitCode);
      },
      (error: unknown) => {
        log.error(errorFacts(error), "stop failed");
        process.exit(EXIT_FAILED);
      },
    );
  };
  for (const signal of ["SIGTERM", "SIGINT"] as const) process.on(signal, onSignal);
}

/** An error nobody caught: what memory holds now is not to be trusted, what is on disk is. */
function endOnBug(log: Log): void {
  process.on("uncaughtException", (error: unknown) => {
    log.error(errorFacts(error), "fatal: nobody caught this");
    process.exit(EXIT_FATAL);
  });
}

/** Tells the operator on stderr what is wrong; only errors made to be read show their message. */
function exitCodeOf(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : EXIT_CONFIG; // it has spoken
  const readable =
    error instanceof ConfigError ||
    error instanceof StoreFailure ||
    error instanceof ImportError ||
    error instanceof SecretFileError ||
    error instanceof ReplayError ||
    error instanceof CurveUnavailable;
  const text = readable ? error.message : `cannot start: ${JSON.stringify(errorFacts(error))}`;
  process.stderr.write(`farwatch-monitor: ${text}\n`);
  return error instanceof ConfigError ? EXIT_CONFIG : EXIT_FAILED;
}
