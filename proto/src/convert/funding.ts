/** Steps of splices <-> wire: a new pending funding. */
import type { UpdateStep } from "../update.js";
import type * as wire from "../../gen/monitor/v1/update.js";
import { readFunding, writeFunding } from "./channel.js";

type Renegotiated = Extract<UpdateStep, { kind: "renegotiatedFunding" }>;

export const readRenegotiatedFunding = (
  message: wire.RenegotiatedFunding,
  field: string,
): Renegotiated => ({ kind: "renegotiatedFunding", ...readFunding(message, `${field}.`) });

export const writeRenegotiatedFunding = (step: Renegotiated): wire.RenegotiatedFunding =>
  writeFunding(step);
