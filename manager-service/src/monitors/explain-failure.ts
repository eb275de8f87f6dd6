/**
 * What a failed gRPC call says, in words an operator can act on. A TLS refusal reaches grpc-js as
 * UNAVAILABLE with OpenSSL's or Node's text, which names neither side nor file.
 */

interface Pattern {
  readonly matches: RegExp;
  readonly text: string;
}

/** In this order: a server's alert about our certificate also contains words of the later ones. */
const PATTERNS: readonly Pattern[] = [
  {
    matches: /alert (bad|unknown|unsupported|certificate|access|handshake)|alert number (4\d|116)/i,
    text: "TLS: the monitor refused our client certificate",
  },
  {
    matches:
      /self.signed|unable to (verify|get)|UNABLE_TO|DEPTH_ZERO|certificate (has expired|signature failure)/i,
    text: "TLS: the monitor's certificate is not valid under the configured CA",
  },
  {
    matches: /altnames|ALTNAME|does not match certificate/i,
    text: "TLS: the monitor's certificate does not name this address",
  },
  {
    matches: /wrong version number|packet length too long|EPROTO/i,
    text: "TLS: the peer at this address does not speak TLS as expected",
  },
  { matches: /ECONNREFUSED/, text: "nothing listens at the monitor's address" },
  {
    matches: /Failed to connect|Connection dropped|ECONNRESET|socket disconnected/i,
    text: "connection closed before any answer, as a refused client certificate or a stop does",
  },
  { matches: /ENOTFOUND|EAI_AGAIN|Name resolution/i, text: "the monitor's address has no host" },
];

/** Changes with every attempt, or says nothing: the same failure must read the same each time. */
const NOISE = /\(\d{4}-\d\d-\d\dT[\d:.]+Z\)|Resolution note:\s*$/g;

/** One line: the explanation when there is one, and what grpc-js said. */
export function explainFailure(details: string): string {
  const said = details.replace(NOISE, "").replace(/\s+/g, " ").trim();
  const known = PATTERNS.find(({ matches }) => matches.test(said));
  return known === undefined ? said : `${known.text} (${said})`;
}
