/** All scenarios by name. */
import { coopClose } from "./coop-close.js";
import { expiryInbound, expiryOutbound } from "./expiry.js";
import { feeChange } from "./fee-change.js";
import { forward3Node } from "./forward.js";
import { holderForceClose } from "./holder-force-close.js";
import { latePreimage } from "./late-preimage.js";
import { missingHtlc } from "./missing-htlc.js";
import { reorg } from "./reorg.js";
import { revoked, revokedHtlcTxs } from "./revoked.js";
import type { Scenario } from "./scenario.js";

export const SCENARIOS: readonly Scenario[] = [
  coopClose,
  holderForceClose,
  latePreimage,
  expiryOutbound,
  expiryInbound,
  missingHtlc,
  revoked,
  revokedHtlcTxs,
  reorg,
  forward3Node,
  feeChange,
];
