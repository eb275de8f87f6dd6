/**
 * Free loopback ports. Only even ones below the kernel's ephemeral range: bitcoind may also bind the
 * port above its P2P port (for Tor), and nobody's outgoing connection lands on them.
 */
import { createServer } from "node:net";

const LOWEST = 20_000;
const HIGHEST = 32_000;
const given = new Set<number>();

/** A port that nothing listens on now and that this process has not been given before. */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = LOWEST + 2 * Math.floor((Math.random() * (HIGHEST - LOWEST)) / 2);
    if (given.has(port)) continue;
    if ((await canListen(port)) && (await canListen(port + 1))) {
      given.add(port);
      return port;
    }
  }
}

function canListen(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", () => resolve(false));
    server.listen(port, "127.0.0.1", () => server.close(() => resolve(true)));
  });
}
