/** The monitor with failpoints: the same main, plus what only tests install. */
import { runMain } from "@farwatch/monitor-service/main";
import { killWhenAsked } from "./failpoint.js";

await runMain(process.argv, { failpoint: killWhenAsked(process.env) });
