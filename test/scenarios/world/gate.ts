/** A door at which requests wait while it is shut, as at a disk that is slow for them alone. */
export class Gate {
  #shut: Promise<void> | undefined;
  #release: () => void = () => undefined;

  get isShut(): boolean {
    return this.#shut !== undefined;
  }

  shut(): void {
    this.#shut ??= new Promise((resolve) => (this.#release = resolve));
  }

  open(): void {
    this.#release();
    this.#shut = undefined;
  }

  /** Resolves at once while the door is open. */
  passed(): Promise<void> {
    return this.#shut ?? Promise.resolve();
  }
}
