/** Waits end when woken, also by a wake-up that came before them. */
import assert from "node:assert/strict";
import { systemClock, Waker } from "./waker.js";

const LONG_MS = 60_000;

describe("waker", () => {
  it("ends a long wait when woken", async () => {
    const waker = new Waker(systemClock);
    const waiting = waker.wait(LONG_MS);
    waker.wake();
    await waiting;
  });

  it("keeps one wake-up for the next wait, and only for that one", async () => {
    const waker = new Waker(systemClock);
    waker.wake();
    waker.wake();
    await waker.wait(LONG_MS);
    const began = systemClock.now();
    await waker.wait(20);
    assert.ok(systemClock.now() - began >= 15);
  });

  it("does not start a sleep whose signal is aborted already", async () => {
    const abort = new AbortController();
    abort.abort();
    await systemClock.sleep(LONG_MS, abort.signal);
  });
});
