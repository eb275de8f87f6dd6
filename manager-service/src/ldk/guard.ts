/**
 * LDK's callbacks must never throw: an exception would unwind through WASM and leave its locks taken, and
 * every later call panics (ldk-lab README 7.1). What fails inside is told to the RemoteWatch, which then
 * hands nothing over any more.
 */
export function guarded<A extends readonly unknown[], R>(
  run: (...args: A) => R,
  failed: (error: unknown) => void,
  otherwise: () => R,
): (...args: A) => R {
  return (...args) => {
    try {
      return run(...args);
    } catch (error) {
      try {
        failed(error);
      } catch {
        return otherwise(); // the caller's own alarm threw, and LDK must not see that either
      }
      return otherwise();
    }
  };
}
