/** The version of this service, from its own package.json, so that it is written in one place. */
import fs from "node:fs";
import { z } from "zod";

const Package = z.object({ version: z.string() });

/** "major.minor.patch". Throws when package.json is missing or damaged. */
export function serviceVersion(): string {
  const file = new URL("../../../package.json", import.meta.url);
  return Package.parse(JSON.parse(fs.readFileSync(file, "utf8"))).version;
}
