/** All scenarios by name. */
import { coopClose } from "./coop-close.js";
import type { Scenario } from "./scenario.js";

export const SCENARIOS: readonly Scenario[] = [coopClose];
