/** Programmer errors. A failed assertion halts one channel; it is never caught to carry on. */
export class AssertionError extends Error {
  override readonly name = "AssertionError";
}

export function assert(condition: boolean, message: string): asserts condition {
  if (!condition) throw new AssertionError(message);
}

/** Ends every switch over a closed union; the compiler proves it unreachable. */
export function assertNever(value: never): never {
  throw new AssertionError(`unreachable variant: ${JSON.stringify(value)}`);
}

/** Unwraps a value that must exist by construction; says what was missing otherwise. */
export function must<T>(value: T | undefined | null, what: string): T {
  if (value === undefined || value === null) throw new AssertionError(`missing: ${what}`);
  return value;
}
