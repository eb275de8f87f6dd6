/** npm run demo:forward: A -> B -> C with C on chain (forward.ts); options in run-demo.ts. */
import { runForward } from "./forward.js";
import { runDemo } from "./run-demo.js";

await runDemo(
  runForward,
  ({ claimed_sat, received_sat }) =>
    `C took ${claimed_sat} sat on chain, B took ${received_sat} sat from A`,
);
