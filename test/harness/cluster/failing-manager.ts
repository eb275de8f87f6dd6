/** The manager with failpoints: the same composition, plus what only tests install. */
import { parseArgs } from "node:util";
import { createApp } from "@farwatch/manager-service/app";
import { loadConfig } from "@farwatch/manager-service/config";
import { killWhenAsked } from "./failpoint.js";

const { values } = parseArgs({ options: { config: { type: "string" } } });
const config = loadConfig({ file: values.config });
const app = await createApp(config, { failpoint: killWhenAsked(process.env) });
process.once("SIGTERM", () => {
  app.stop().then(
    () => process.exit(0),
    () => process.exit(1),
  );
});
