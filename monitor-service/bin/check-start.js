// What must hold before anything of the service is imported: an old Node fails inside a dependency with
// a message that helps nobody, and a missing build fails as an unknown module.
import { existsSync } from "node:fs";

const MIN_MAJOR = 22;
const MIN_MINOR = 12;

/** Why the service cannot run here; undefined when it can. `main`: URL of the compiled entry point. */
export function problemOf(nodeVersion, main) {
  const [major = 0, minor = 0] = nodeVersion.split(".").map(Number);
  if (major < MIN_MAJOR || (major === MIN_MAJOR && minor < MIN_MINOR)) {
    return `Node ${MIN_MAJOR}.${MIN_MINOR} or newer is needed; this is ${nodeVersion}`;
  }
  return existsSync(main) ? undefined : 'not built yet: run "npm run build"';
}
