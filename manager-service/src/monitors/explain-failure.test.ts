/** Failures of a connection in an operator's words, from what grpc-js and OpenSSL say. */
import assert from "node:assert/strict";
import { explainFailure } from "./explain-failure.js";

describe("explaining a failed call", () => {
  const cases: readonly (readonly [string, RegExp])[] = [
    [
      "No connection established. Last error: 00E8:error:0A000416:SSL routines:" +
        "ssl3_read_bytes:tlsv1 alert certificate unknown:s3_pkt.c:1605:SSL alert number 46",
      /^TLS: the monitor refused our client certificate \(/,
    ],
    [
      "SSL routines:ssl3_read_bytes:tlsv13 alert certificate required:SSL alert number 116",
      /^TLS: the monitor refused our client certificate \(/,
    ],
    ["self-signed certificate in certificate chain", /not valid under the configured CA/],
    ["unable to verify the first certificate", /not valid under the configured CA/],
    ["Error: certificate signature failure", /not valid under the configured CA/],
    ["Hostname/IP does not match certificate's altnames: 127.0.0.1", /does not name this address/],
    ["error:0A00010B:SSL routines:ssl3_get_record:wrong version number", /does not speak TLS/],
    ["connect ECONNREFUSED 127.0.0.1:1", /^nothing listens at/],
    ["Name resolution failed for target dns:nowhere", /has no host/],
    ["read ECONNRESET", /^connection closed before any answer/],
  ];
  for (const [said, explained] of cases) {
    it(`says of "${said.slice(0, 40)}" what it means`, () => {
      assert.match(explainFailure(said), explained);
      assert.ok(explainFailure(said).includes(said), "the original is kept");
    });
  }

  it("leaves other texts alone, on one line", () => {
    assert.equal(explainFailure("Deadline\n exceeded"), "Deadline exceeded");
  });

  it("reads the same at every attempt", () => {
    const at = (time: string): string =>
      `No connection established. Last error: Failed to connect (${time}). Resolution note: `;
    const first = explainFailure(at("2030-01-02T03:04:05.678Z"));
    assert.equal(first, explainFailure(at("2031-11-12T13:14:15.000Z")));
    assert.match(first, /^connection closed before any answer/);
  });
});
