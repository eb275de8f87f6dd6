/**
 * Places in a node's life where a power cut could strike, counted. A test names a number, and the process
 * kills itself there with SIGKILL: no handler runs, nothing is flushed.
 */
export class KillPoints {
  #passed = 0;
  #killAt: number | undefined;

  get passed(): number {
    return this.#passed;
  }

  killAfter(points: number): void {
    this.#killAt = this.#passed + points;
  }

  /** A place: everything before it has happened, nothing after it. */
  pass(): void {
    this.#passed++;
    if (this.#passed === this.#killAt) process.kill(process.pid, "SIGKILL");
  }
}
