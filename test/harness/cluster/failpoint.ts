/**
 * Failpoints for test entry points: the process kills itself at a named point of the shell's order when
 * a file names that point. The test writes the file when it wants the crash; it is removed as it fires,
 * so the restarted process runs on. The shipped mains have no such thing.
 */
import fs from "node:fs";
import path from "node:path";

const ENV = "FARWATCH_TEST_KILL_FILE";

/** For the process under test. */
export function killWhenAsked(env: NodeJS.ProcessEnv): (name: string) => void {
  const file = env[ENV];
  return (name) => {
    if (file === undefined || !fs.existsSync(file)) return;
    if (fs.readFileSync(file, "utf8") !== name) return;
    fs.rmSync(file);
    process.kill(process.pid, "SIGKILL");
  };
}

/** For the test. */
export class KillSwitch {
  readonly env: Readonly<Record<string, string>>;
  readonly #file: string;

  constructor(folder: string) {
    this.#file = path.join(folder, "kill-at");
    this.env = { [ENV]: this.#file };
  }
  arm(name: string): void {
    fs.writeFileSync(`${this.#file}.new`, name);
    fs.renameSync(`${this.#file}.new`, this.#file);
  }
  get fired(): boolean {
    return !fs.existsSync(this.#file);
  }
}
