/**
 * LDK keeps with a preimage what it needs to begin a claim anew (PaymentClaimDetails), for a ChannelMonitor that
 * is ahead of its ChannelManager. A replica never is: it stands where that ChannelManager was told, which
 * knows the claim and has in flight what was not told. There the details only harm: at every start LDK would
 * claim again on closed channels, and one before 0.1.4 cannot read a ChannelManager that was saved while such a
 * claim was under way (rust-lightning 50e1d15c2). So replicas are built without them.
 */
import { decodeChannelMonitor, encodeChannelMonitor } from "@farwatch/protocol/ldk/monitor";
import { decodeMonitorUpdate, encodeMonitorUpdate } from "@farwatch/protocol/ldk/update";

/** The same update without claim details; one that we cannot read as it is. */
export function withoutClaimDetails(bytes: Uint8Array): Uint8Array {
  const decoded = decodeMonitorUpdate(bytes);
  if (!decoded.ok) return bytes;
  const { steps } = decoded.value;
  const hasDetails = steps.some(
    ({ value }) => value.kind === "paymentPreimage" && value.paymentInfo !== undefined,
  );
  if (!hasDetails) return bytes;
  const bare = steps.map(({ value, raw }) =>
    value.kind === "paymentPreimage"
      ? { value: { ...value, paymentInfo: undefined }, raw }
      : { value, raw },
  );
  const encoded = encodeMonitorUpdate({ ...decoded.value, steps: bare });
  return encoded.ok ? encoded.value : bytes;
}

/** The same ChannelMonitor without claim details: the base of a channel that was adopted in use may have some. */
export function monitorWithoutClaimDetails(bytes: Uint8Array): Uint8Array {
  const decoded = decodeChannelMonitor(bytes);
  if (!decoded.ok) return bytes; // LDK itself says what is wrong with it
  const { trailer } = decoded.value;
  if (trailer.preimages.every(({ value }) => value.claimDetails.length === 0)) return bytes;
  const preimages = trailer.preimages.map(({ key, value }) => ({
    key,
    value: { ...value, claimDetails: [] },
  }));
  const encoded = encodeChannelMonitor({ ...decoded.value, trailer: { ...trailer, preimages } });
  return encoded.ok ? encoded.value : bytes;
}
