import type net from "node:net";
import { canTakeOver, takeOver } from "./direct-io.ts";
import type { Permit, Side } from "./recorder/permit.ts";

/**
 * Takes bytes as they are read. `true`: done with them, their buffer can be read into again. `false`: they are still being
 * written. A promise: likewise, and nothing more is to be read until it resolves.
 * @param recorded what is to be recorded of them, where that is something else
 */
type Consumer = (bytes: Buffer, recorded?: Buffer) => boolean | Promise<void>;

/** What hears of a channel's bytes and of its end. */
export interface ChannelEvents {
  readonly consumer: Consumer;
  /** What the consumer threw or rejected with. */
  readonly failed: (error: unknown) => void;
  /** No more bytes come. `orderly`: the peer said so; else the connection broke. Called once. */
  readonly ended: (orderly: boolean) => void;
}

/** One side of a session after its handshake: it writes what the recorder permitted, and a last word of ours. */
export interface Channel<To extends Side> {
  /** Undefined: go on. A promise: the peer does not keep up; it resolves when it has, or is gone. */
  send(permit: Permit<To>): Promise<void> | undefined;
  /** Whether all that was sent has been handed to the kernel. */
  readonly isIdle: boolean;
  /** Starts to read, bytes that the handshake left behind first. */
  start(events: ChannelEvents): void;
  /** Says a last thing, if there is one, and closes. What the peer still sends is read and dropped for a while. */
  end(lastWord?: Buffer): void;
}

/** What a peer that does not read, or does not close, may keep us from letting go. */
const LINGER_MS = 2_000;

/** The channel of a connected socket that is in paused mode: by Node's handles where they can be had, else by its streams. */
export function openChannel<To extends Side>(socket: net.Socket): Channel<To> {
  return canTakeOver(socket) ? takeOver<To>(socket, LINGER_MS) : streamChannel<To>(socket);
}

/** A channel by Node's documented streams. */
export function streamChannel<To extends Side>(socket: net.Socket): Channel<To> {
  let drained: Promise<void> | undefined;
  let closing = false;
  const drain = async (): Promise<void> => {
    await new Promise<void>((done) => {
      const finish = (): void => {
        socket.off("drain", finish);
        socket.off("close", finish);
        done();
      };
      socket.on("drain", finish);
      socket.on("close", finish);
    });
    drained = undefined;
  };
  return {
    send(permit) {
      if (socket.write(permit.bytes) || socket.destroyed) return undefined;
      return (drained ??= drain());
    },
    get isIdle() {
      return socket.writableLength === 0;
    },
    start({ consumer, failed, ended }) {
      let over = false;
      const end = (orderly: boolean): void => {
        if (!over) ended(orderly);
        over = true;
      };
      socket.on("error", () => {}); // the close that follows says it
      socket.on("end", () => end(true));
      socket.on("close", () => end(false));
      if (socket.destroyed) return end(false);
      if (socket.readableEnded) return end(true); // before anybody listened
      socket.on("data", (bytes: Buffer) => {
        if (closing) return;
        try {
          const result = consumer(bytes);
          if (typeof result === "boolean") return;
          socket.pause();
          result.then(() => socket.resume(), failed);
        } catch (error) {
          failed(error);
        }
      });
      socket.resume();
    },
    end(lastWord) {
      closing = true;
      if (lastWord === undefined) socket.end();
      else socket.end(lastWord);
      socket.resume();
      setTimeout(() => socket.destroy(), LINGER_MS).unref();
    },
  };
}
