/** npm run demo:ldk: a real LDK node is dead while its peer cheats (ldk.ts); options in run-demo.ts. */
import { runLdk } from "./ldk.js";
import { runDemo } from "./run-demo.js";

await runDemo(
  runLdk,
  ({ stolen_sat, received_sat }) =>
    `B tried for ${stolen_sat} sat and has none; A has ${received_sat} sat in its wallet`,
);
