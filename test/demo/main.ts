/** npm run demo: the breach story (breach.ts); options in run-demo.ts. */
import { runBreach } from "./breach.js";
import { runDemo } from "./run-demo.js";

await runDemo(
  runBreach,
  ({ confiscated_sat, justice_txids }) =>
    `${confiscated_sat} sat taken back in ${justice_txids.join(", ")}`,
);
