/** The part of the bench that has a real LDK node in it. */
import type { Curve } from "@farwatch/protocol/curve/curve";
import { loadLdk } from "../../fixture-recorder/ldk/module.js";
import type { Row } from "../report.js";
import { ingestRows, type IngestSizes } from "./ingest-rows.js";
import { paymentRows, type PaymentSizes } from "./payment-rows.js";
import { withBitcoind } from "./services.js";
import type { Tell } from "./tell.js";

export interface LdkSizes {
  readonly payments: PaymentSizes;
  readonly ingest: IngestSizes;
}

export const LDK_SIZES: LdkSizes = {
  payments: { channels: 8, oneByOne: 12, together: 64, inFlight: 32, rounds: 4 },
  ingest: { channels: 8, payments: 240, inFlight: 8, rounds: 2 },
};

export async function ldkRows(
  { payments, ingest }: LdkSizes,
  curve: Curve,
  tell: Tell,
): Promise<readonly Row[]> {
  await loadLdk();
  return withBitcoind(async (bitcoind) => [
    ...(await ingestRows(bitcoind, ingest, curve, tell)),
    ...(await paymentRows(bitcoind, payments, tell)),
  ]);
}
