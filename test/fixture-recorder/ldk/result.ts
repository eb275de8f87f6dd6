/** LDK's result classes: a base class with one subclass for success and one for failure. */

/** A class whose constructor is not public: enough for instanceof. */
export interface ClassOf<T> {
  readonly prototype: T;
  [Symbol.hasInstance](value: unknown): boolean;
}

/** instanceof for a class that is only known by what it makes. */
export const isOf = <T>(kind: ClassOf<T>, value: unknown): value is T => value instanceof kind;

/** Narrows a result to its success class, or says what failed. */
export function okOf<T extends object>(result: object, success: ClassOf<T>, what: string): T {
  if (isOf(success, result)) return result;
  throw new Error(`LDK: ${what} failed: ${reasonOf(result)}`);
}

/** For results without a value. `is_ok` answers 1 or 0 in this package, whatever its type says. */
export function mustBeOk(result: { is_ok(): boolean }, what: string): void {
  if (!result.is_ok()) throw new Error(`LDK: ${what} failed: ${reasonOf(result)}`);
}

function reasonOf(result: object): string {
  const error: unknown = Reflect.get(result, "err");
  if (typeof error !== "object" || error === null) return String(error ?? result.constructor.name);
  const text: unknown = Reflect.get(error, "err");
  return typeof text === "string" ? `${error.constructor.name}: ${text}` : error.constructor.name;
}

/** The package hands out wrappers around null pointers where Rust has None. */
export function isNull(value: object | null | undefined): boolean {
  return value === null || value === undefined || Reflect.get(value, "ptr") === 0n;
}
