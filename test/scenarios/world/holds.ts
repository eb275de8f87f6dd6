/**
 * Messages that a scenario keeps on their way: those whose name matches, and whatever follows them in
 * the same call. Other calls go on, as streams of one HTTP/2 connection do.
 */
interface Held {
  readonly call: object;
  readonly name: string | undefined;
  readonly go: () => void;
}

export class Holds {
  readonly #patterns = new Set<RegExp>();
  #held: readonly Held[] = [];

  /** Names of what is held now. */
  get names(): readonly string[] {
    return this.#held.flatMap(({ name }) => name ?? []);
  }

  /** Until the returned function is called. */
  hold(pattern: RegExp): () => void {
    this.#patterns.add(pattern);
    return () => {
      this.#patterns.delete(pattern);
      const waiting = this.#held;
      this.#held = [];
      for (const { call, name, go } of waiting) this.pass(call, name, go);
    };
  }

  /** Runs `go` now, or when nothing holds it any more. */
  pass(call: object, name: string | undefined, go: () => void): void {
    const follows = this.#held.some((held) => held.call === call);
    const matches = name !== undefined && [...this.#patterns].some((one) => one.test(name));
    if (follows || matches) this.#held = [...this.#held, { call, name, go }];
    else go();
  }
}
