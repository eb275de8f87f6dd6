/**
 * What the application above LDK remembers: the events it was handed, in order, and preimages of payments it
 * holds back. It is saved together with the ChannelManager, so an event that is stored is one LDK will not
 * hand out again, and one that is lost with the process comes again.
 */
import type { JsonObject } from "../../fixture-recorder/ldk/json.js";

interface Stored {
  readonly events: JsonObject[];
  /** Payment hashes that wait for a command. */
  readonly held: string[];
  /** Of payments that arrived and were held, by hash. */
  readonly preimages: Record<string, string>;
}

export class Application {
  readonly #stored: Stored;
  #changed = false;

  constructor(saved: string | undefined) {
    const fresh: Stored = { events: [], held: [], preimages: {} };
    this.#stored = saved === undefined ? fresh : JSON.parse(saved);
  }

  get events(): readonly JsonObject[] {
    return this.#stored.events;
  }
  /** True once after a change. */
  takeChanged(): boolean {
    const changed = this.#changed;
    this.#changed = false;
    return changed;
  }

  add(event: JsonObject): void {
    this.#stored.events.push(event);
    this.#changed = true;
  }

  hold(paymentHash: string): void {
    this.#stored.held.push(paymentHash);
    this.#changed = true;
  }
  isHeld(paymentHash: string): boolean {
    return this.#stored.held.includes(paymentHash);
  }

  keepPreimage(paymentHash: string, preimage: string): void {
    this.#stored.preimages[paymentHash] = preimage;
    this.#changed = true;
  }
  preimageOf(paymentHash: string): string | undefined {
    return this.#stored.preimages[paymentHash];
  }

  write(): string {
    return JSON.stringify(this.#stored);
  }
}
