/**
 * LDK's PeerManager on loopback TCP. LDK writes by callback and reads by call; after every read the node is
 * told, so that it can act on what came.
 */
import net from "node:net";
import { fromHex } from "@farwatch/protocol/bytes";
import type { PeerManager, SocketDescriptor } from "lightningdevkit";
import { ldk } from "../../fixture-recorder/ldk/module.js";
import { isOf, mustBeOk, okOf } from "../../fixture-recorder/ldk/result.js";

const HOST = "127.0.0.1";
const CONNECT_WITHIN_MS = 5_000;

interface Line {
  readonly socket: net.Socket;
  readonly descriptor: SocketDescriptor;
  /** LDK does not want to hear of it any more. */
  isOver: boolean;
}

export class Tcp {
  readonly #server: net.Server;
  readonly #lines = new Map<bigint, Line>();
  #next = 1n;

  constructor(
    private readonly peers: PeerManager,
    /** Bytes were handled, or a connection ended. */
    private readonly moved: () => void,
  ) {
    this.#server = net.createServer((socket) => this.#accept(socket));
  }

  listen(port: number): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#server.once("error", reject);
      this.#server.listen(port, HOST, resolve);
    });
  }

  /** Resolves when TCP stands; LDK's own handshake follows. */
  async connect(nodeId: string, port: number): Promise<void> {
    const socket = net.connect({ host: HOST, port });
    await new Promise<void>((resolve, reject) => {
      socket.setTimeout(CONNECT_WITHIN_MS, () => socket.destroy(new Error("no connection")));
      socket.once("error", reject);
      socket.once("connect", resolve);
    });
    socket.setTimeout(0);
    const line = this.#lineOf(socket);
    const greeting = this.peers.new_outbound_connection(
      fromHex(nodeId),
      line.descriptor,
      ldk.Option_SocketAddressZ.constructor_none(),
    );
    const Ok = ldk.Result_CVec_u8ZPeerHandleErrorZ_OK;
    socket.write(okOf(greeting, Ok, "outbound connection").res);
    this.moved();
  }

  close(): void {
    this.#server.close();
    for (const { socket } of this.#lines.values()) socket.destroy();
  }

  #accept(socket: net.Socket): void {
    const { descriptor } = this.#lineOf(socket);
    const none = ldk.Option_SocketAddressZ.constructor_none();
    mustBeOk(this.peers.new_inbound_connection(descriptor, none), "inbound connection");
  }

  #lineOf(socket: net.Socket): Line {
    const id = this.#next++;
    socket.setNoDelay(true);
    const descriptor = ldk.SocketDescriptor.new_impl({
      send_data: (data, resume) => {
        if (resume) socket.resume();
        if (!socket.destroyed) socket.write(Uint8Array.from(data));
        return data.length;
      },
      disconnect_socket: () => {
        line.isOver = true;
        socket.end();
      },
      eq: (other) => other.hash() === id,
      hash: () => id,
    });
    const line: Line = { socket, descriptor, isOver: false };
    this.#lines.set(id, line);
    socket.on("data", (data) => this.#read(line, data));
    socket.on("error", () => socket.destroy());
    socket.on("close", () => {
      this.#lines.delete(id);
      if (!line.isOver) this.peers.socket_disconnected(descriptor);
      this.moved();
    });
    return line;
  }

  #read(line: Line, data: Uint8Array): void {
    if (line.isOver) return;
    const read = this.peers.read_event(line.descriptor, Uint8Array.from(data));
    if (isOf(ldk.Result_boolPeerHandleErrorZ_OK, read)) {
      if (read.res) line.socket.pause();
    } else {
      line.isOver = true;
      line.socket.destroy();
    }
    this.moved();
  }
}
