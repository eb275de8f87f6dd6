/**
 * The `lightningdevkit` package as the caller gives it: its types are known here, its code is the caller's,
 * so that there is one WASM module in the process and any version with this interface can be used.
 */
import type * as Ldk from "lightningdevkit";

export type { Ldk };
export type LdkModule = typeof Ldk;

/** A class whose constructor is not public: enough for instanceof. */
interface ClassOf<T> {
  readonly prototype: T;
  [Symbol.hasInstance](value: unknown): boolean;
}

/** Narrows one of LDK's results to its success, or throws what failed. Never inside a callback of LDK. */
export function okOf<T extends object>(result: object, success: ClassOf<T>, what: string): T {
  if (is(success, result)) return result;
  const error: unknown = Reflect.get(result, "err");
  const why = typeof error === "object" && error !== null ? error.constructor.name : "no reason";
  throw new Error(`LDK: ${what} failed: ${why}`);
}

const is = <T>(kind: ClassOf<T>, value: unknown): value is T => value instanceof kind;

/** The package hands out wrappers around null pointers where Rust has None. */
export const isNull = (value: object | null | undefined): boolean =>
  value === null || value === undefined || Reflect.get(value, "ptr") === 0n;
