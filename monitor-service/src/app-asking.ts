/**
 * SHELL. A question put again and again while the service runs, whose answers nothing waits for: its owner
 * keeps the last one and says when to ask next.
 */
import { Waker, type Clock } from "./chain/waker.js";

export interface Question<T> {
  /** Never rejects. */
  ask(): Promise<T>;
  /** Takes the answer; milliseconds until the next question. Not called any more after `stop`. */
  take(answer: T): number;
}

export class Asking<T> {
  readonly #question: Question<T>;
  readonly #waker: Waker;
  #running: Promise<void> | undefined;
  #stopping = false;

  constructor(clock: Clock, question: Question<T>) {
    this.#question = question;
    this.#waker = new Waker(clock);
  }

  start(): void {
    this.#running ??= this.#run();
  }

  /** A question under way ends with the connection; its answer is not looked at any more. */
  stop(): void {
    this.#stopping = true;
    this.#waker.wake();
  }

  async #run(): Promise<void> {
    while (!this.#stopping) {
      const answer = await this.#question.ask();
      if (this.#stopping) return;
      await this.#waker.wait(this.#question.take(answer));
    }
  }
}
