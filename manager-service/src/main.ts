/**
 * The command line: runs the manager, or asks a running one for its health. Exit codes: 0 an orderly
 * stop or SERVING, 1 a failure or not serving, 2 a configuration or usage that cannot be meant.
 */
import { Command, CommanderError, Option as Flag } from "commander";
import { createApp, type App } from "./app.js";
import {
  ConfigError,
  DEFAULT_CONFIG_FILE,
  ENV_PREFIX,
  envName,
  loadConfig,
  OPTIONS,
  type ManagerConfig,
} from "./config.js";
import { createLog, errorFacts } from "./observe/log.js";
import { serviceVersion } from "./observe/version.js";
import { isServing } from "./rpc/health-check.js";
import { SERVICE_NAME } from "./rpc/server.js";
import { readTls } from "./tls-files.js";

const EXIT_FAILED = 1;
const EXIT_USAGE = 2;
/** Below the 5 s a container runtime usually allows a health check. */
const HEALTH_TIMEOUT_MS = 3_000;

type Env = Readonly<Record<string, string | undefined>>;

/** Settles when the command is under way or done; failures set the exit code and are told on stderr. */
export async function run(argv: readonly string[], env: Env): Promise<void> {
  const program = commandLine(env);
  try {
    await program.parseAsync([...argv]);
  } catch (error) {
    process.exitCode = exitCodeOf(error);
    if (!(error instanceof CommanderError)) say(error);
  }
}

function commandLine(env: Env): Command {
  const program = new Command("farwatch-manager")
    .description(
      "Keeps a Lightning node's channels durable on every monitor, and resolves its HTLCs.",
    )
    .version(serviceVersion())
    .exitOverride()
    .option(
      "--config <file>",
      `TOML file (${ENV_PREFIX}CONFIG; ${DEFAULT_CONFIG_FILE} if it exists)`,
    );
  for (const option of OPTIONS) {
    const value = option.kind === "switch" ? "" : " <value>";
    const fallback = option.defaultValue === undefined ? "required" : `${option.defaultValue}`;
    program.addOption(
      new Flag(`${option.flag}${value}`, `${option.help} (${envName(option)}; ${fallback})`),
    );
  }
  const configured = (): ManagerConfig => configOf(program, env);
  program.action(() => serve(configured()));
  program
    .command("health")
    .description("exit 0 if the manager at the configured address serves, else 1")
    .exitOverride()
    .action(() => health(configured()));
  return program;
}

function configOf(program: Command, env: Env): ManagerConfig {
  const given: Readonly<Record<string, unknown>> = program.opts();
  const flags: Record<string, string | boolean> = {};
  for (const { key, flag } of OPTIONS) {
    const value = given[new Flag(flag).attributeName()];
    if (typeof value === "string" || typeof value === "boolean") flags[key] = value;
  }
  const { config: file } = given;
  return loadConfig({ file: typeof file === "string" ? file : undefined, flags, env });
}

async function serve(config: ManagerConfig): Promise<void> {
  const log = createLog(config.logLevel);
  process.on("uncaughtException", (error) => {
    log.error("unexpected failure; stopping at once", errorFacts(error));
    process.exit(EXIT_FAILED);
  });
  const starting = createApp(config, { log });
  let stopping = false;
  const onSignal = (signal: NodeJS.Signals): void => {
    if (stopping) process.exit(EXIT_FAILED);
    stopping = true;
    log.info("signal", { signal });
    stopWhenStarted(starting).then(
      () => process.exit(0),
      (error: unknown) => {
        log.error("the stop failed", errorFacts(error));
        process.exit(EXIT_FAILED);
      },
    );
  };
  process.on("SIGTERM", onSignal).on("SIGINT", onSignal);
  await starting;
}

async function stopWhenStarted(starting: Promise<App>): Promise<void> {
  await (await starting).stop();
}

async function health(config: ManagerConfig): Promise<void> {
  const { listen } = config;
  const tls = readTls(config.tls, "tls");
  const question = { listen, tls, service: SERVICE_NAME, timeoutMs: HEALTH_TIMEOUT_MS };
  const serving = await isServing(question);
  process.stdout.write(`${serving ? "SERVING" : "NOT_SERVING"}\n`);
  process.exitCode = serving ? 0 : EXIT_FAILED;
}

function exitCodeOf(error: unknown): number {
  if (error instanceof ConfigError) return EXIT_USAGE;
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : EXIT_USAGE;
  return EXIT_FAILED;
}

/** Failures of the start name files, addresses and keys of the configuration, never their contents. */
function say(error: unknown): void {
  const problem = error instanceof Error ? error.message : "unknown failure";
  process.stderr.write(`farwatch-manager: ${problem}\n`);
}
