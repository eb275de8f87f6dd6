/** Open claims and what wallets pay for, as GetChannel tells them. */
import { writeOutpoint } from "@farwatch/protocol/convert/channel";
import { fromHex } from "@farwatch/protocol/bytes";
import type {
  OpenBump as WireBump,
  OpenClaim as WireClaim,
} from "@farwatch/protocol/gen/monitor/v1/monitor_service";
import { txidToInternal } from "@farwatch/protocol/ids";
import type { OpenBump, OpenClaim } from "../runtime/monitor-host.js";

export const claimToWire = (open: OpenClaim): WireClaim => ({
  outpoint: writeOutpoint(open.outpoint),
  kind: open.kind,
  valueSat: open.valueSat,
  txid: open.txid === undefined ? undefined : Buffer.from(txidToInternal(open.txid)),
  feeratePerKw: open.feeratePerKw ?? 0,
  claimId: open.claim?.id ?? "",
  feeSat: open.claim?.feeSat ?? 0n,
  notBeforeHeight: open.notBefore,
  deadlineHeight: open.deadline,
  nextBumpHeight: open.claim?.nextBumpAt,
  atLimit: open.claim?.atLimit ?? false,
  spent: open.spent,
});

export const bumpToWire = (open: OpenBump): WireBump => ({
  claimId: Buffer.from(fromHex(open.claimId)),
  kind: open.kind,
  outpoints: open.outpoints.map(writeOutpoint),
  targetFeeratePerKw: open.targetFeerate,
  maxFeeSat: open.maxFeeSat,
  nextBumpHeight: open.nextBumpAt,
});
