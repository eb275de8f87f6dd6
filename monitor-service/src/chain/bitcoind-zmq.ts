/**
 * Hints from bitcoind's `zmqpubhashblock`. Messages are lost while bitcoind is down, in a reorg only the
 * tip is announced, and anyone may write garbage to the port: so a message only says "look again".
 */
import type { Subscriber } from "zeromq";

/** Bytes. topic, 32-byte hash and 4-byte counter need far less; more is not bitcoind. */
const MAX_MESSAGE_BYTES = 1024;
/** Milliseconds. Finds a connection that died without a word. */
const HEARTBEAT_MS = 10_000;
const RECONNECT_MS = 1_000;

export interface ZmqHints {
  close(): Promise<void>;
}

/** Calls `onHint` per message until closed. A wrong endpoint is silent: polling must not depend on this. */
export async function openZmqHints(endpoint: string, onHint: () => void): Promise<ZmqHints> {
  const zeromq = await import("zeromq"); // a native module: loaded only when ZMQ is configured
  const socket = new zeromq.Subscriber({
    maxMessageSize: MAX_MESSAGE_BYTES,
    heartbeatInterval: HEARTBEAT_MS,
    heartbeatTimeout: 2 * HEARTBEAT_MS,
    reconnectInterval: RECONNECT_MS,
    linger: 0,
  });
  // What was published while the connection was down is lost: a new connection is a hint by itself.
  socket.events.on("handshake", onHint);
  socket.connect(endpoint);
  socket.subscribe("hashblock");
  const reading = read(socket, onHint);
  return {
    close: async () => {
      socket.close();
      await reading;
    },
  };
}

async function read(socket: Subscriber, onHint: () => void): Promise<void> {
  try {
    for await (const message of socket) if (message.length > 0) onHint();
  } catch {
    return; // no more hints: the follower's timer finds every block without them
  }
}
