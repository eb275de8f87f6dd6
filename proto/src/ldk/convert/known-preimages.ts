/** Preimages in LDK's monitor: of HTLCs to us, and of ours that the counterparty fulfilled off chain. */
import {
  hashOfPreimage,
  preimage,
  type PaymentHash,
  type Preimage,
  type SourceKey,
} from "../../ids.js";
import type { LdkChannelMonitor } from "../monitor.js";
import { sourceKeyOf } from "./source.js";

export const preimagesIn = ({ trailer, bodyPreimages }: LdkChannelMonitor): readonly Preimage[] => {
  const all = [...trailer.preimages.map(({ value }) => value.preimage), ...bodyPreimages];
  const byHash = new Map(all.map((each) => [hashOfPreimage(each), each]));
  return [...byHash].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, each]) => copied(each));
};

export const fulfilledIn = ({ trailer }: LdkChannelMonitor) =>
  (trailer.counterpartyFulfilled ?? [])
    .map(({ key, value }) => ({ sourceKey: sourceKeyOf(key), preimage: copied(value) }))
    .sort((a, b) => (a.sourceKey < b.sourceKey ? -1 : 1));

export const knownPreimages = (
  monitor: LdkChannelMonitor,
): {
  readonly preimages: ReadonlySet<PaymentHash>;
  readonly fulfilled: ReadonlySet<SourceKey>;
} => ({
  preimages: new Set(preimagesIn(monitor).map(hashOfPreimage)),
  fulfilled: new Set(fulfilledIn(monitor).map(({ sourceKey }) => sourceKey)),
});

const copied = (bytes: Preimage): Preimage => preimage(Uint8Array.from(bytes));
