import assert from "node:assert/strict";
import { preimage } from "@farwatch/protocol/ids";
import {
  decodeMonitorUpdate,
  encodeMonitorUpdate,
  type LdkUpdateStep,
} from "@farwatch/protocol/ldk/update";
import { withoutClaimDetails } from "./claim-details.js";

function update(...steps: LdkUpdateStep[]): Uint8Array {
  const encoded = encodeMonitorUpdate({
    version: undefined,
    updateId: 7n,
    steps: steps.map((value) => ({ value, raw: new Uint8Array(0) })),
    counterpartyNodeId: undefined,
    channelId: undefined,
  });
  assert.ok(encoded.ok);
  return encoded.value;
}
const claim = (paymentInfo: Uint8Array | undefined): LdkUpdateStep => ({
  kind: "paymentPreimage",
  preimage: preimage(new Uint8Array(32).fill(5)),
  paymentInfo,
});
const CLOSE: LdkUpdateStep = { kind: "channelForceClosed", shouldBroadcast: true };

describe("updates of a replica", () => {
  it("have no claim details, and all else", () => {
    const details = Uint8Array.of(2, 0, 0);
    assert.deepEqual(
      withoutClaimDetails(update(claim(details), CLOSE)),
      update(claim(undefined), CLOSE),
    );
    const decoded = decodeMonitorUpdate(withoutClaimDetails(update(claim(details))));
    assert.ok(decoded.ok && decoded.value.updateId === 7n);
  });

  it("are left as they are when there are none, or when they cannot be read", () => {
    for (const bytes of [update(CLOSE), update(claim(undefined)), Uint8Array.of(1, 2, 3)]) {
      assert.equal(withoutClaimDetails(bytes), bytes);
    }
  });
});
