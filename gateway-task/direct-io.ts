import type net from "node:net";
import type { Channel, ChannelEvents } from "./channel.ts";
import { READ_BYTES, giveBack, takeReadBuffer } from "./io-buffers.ts";
import type { Permit, Side } from "./recorder/permit.ts";

/**
 * Reads and writes sockets by Node's own handles, past its streams: no allocation at a read, one small object at most at a
 * write. This is not a documented interface (ADR 0005): what it needs is looked for at start, and where anything is
 * missing the streams serve, so that a future Node costs speed and nothing else.
 */
interface StreamBinding {
  readonly WriteWrap: new () => WriteRequest;
  readonly streamBaseState: Int32Array;
  readonly kReadBytesOrError: number;
  readonly kLastWriteWasAsync: number;
}

interface WriteRequest {
  handle: StreamHandle | undefined;
  async: boolean;
  buffer: Buffer | undefined;
  oncomplete: (status: number) => void;
}

interface StreamHandle {
  onread: (buffer?: ArrayBuffer) => Buffer | undefined;
  useUserBuffer(buffer: Buffer): void;
  readStart(): number;
  readStop(): number;
  writeBuffer(request: WriteRequest, buffer: Buffer): number;
}

const UV_EOF = -4095;
/** What a channel reads into while little comes: a thousand idle sessions then hold few megabytes. */
const SMALL_READ_BYTES = 1 << 10;
/** It reads into a large one from when a small one was filled until so many small reads have followed. */
const PATIENCE = 16;
/** Full reads after which a channel lets the others have their turn. */
const TURN_READS = 4;
/** Work on a full read, such as masking what is in it, after which the others have their turn at once. */
const TURN_MS = 0.1;
/** Bytes that wait for a peer before whoever produces them has to wait: a few reads' worth. */
const HIGH_WATER_MARK = 256 << 10;

const binding = findBinding();

function findBinding(): StreamBinding | undefined {
  if (process.env["SALLYPORT_IO"] === "streams") return undefined;
  try {
    const found = (process as unknown as { binding(name: string): Partial<StreamBinding> }).binding("stream_wrap");
    const complete =
      typeof found.WriteWrap === "function" &&
      found.streamBaseState instanceof Int32Array &&
      typeof found.kReadBytesOrError === "number" &&
      typeof found.kLastWriteWasAsync === "number";
    return complete ? (found as StreamBinding) : undefined;
  } catch {
    return undefined;
  }
}

function handleOf(socket: net.Socket): StreamHandle | undefined {
  const handle = (socket as unknown as { _handle?: Partial<StreamHandle> | null })._handle;
  const methods = ["useUserBuffer", "readStart", "readStop", "writeBuffer"] as const;
  return handle && methods.every((name) => typeof handle[name] === "function") ? (handle as StreamHandle) : undefined;
}

export function canTakeOver(socket: net.Socket): boolean {
  return binding !== undefined && !socket.destroyed && socket.writableLength === 0 && handleOf(socket) !== undefined;
}

/** A channel on the socket's handle. The socket object stays the owner: it closes the handle, and says when it is closed. */
export function takeOver<To extends Side>(socket: net.Socket, lingerMs: number): Channel<To> {
  const stream = binding as StreamBinding;
  return new DirectChannel<To>(socket, handleOf(socket) as StreamHandle, stream, lingerMs);
}

class DirectChannel<To extends Side> implements Channel<To> {
  readonly #socket: net.Socket;
  readonly #handle: StreamHandle;
  readonly #stream: StreamBinding;
  readonly #lingerMs: number;
  #events: ChannelEvents | undefined;
  #buffer: Buffer | undefined;
  #smallReads = 0;
  #fullReads = 0;
  #worked = 0;
  #request: WriteRequest | undefined;
  /** Bytes that the kernel has not taken yet: of the write under way, and of those in the queue behind it. */
  #pending = 0;
  #queue: Buffer[] = [];
  #ending: (() => void) | undefined;
  /** The consumer is not ready. What a TLS record still yields then waits here: at most a few records. */
  #paused = false;
  #backlog: Buffer[] = [];
  #drained: (() => void)[] = [];
  #closing = false;
  /** The peer has closed, while the consumer was not ready for what came before. */
  #eof = false;
  #over = false;

  constructor(socket: net.Socket, handle: StreamHandle, stream: StreamBinding, lingerMs: number) {
    this.#socket = socket;
    this.#handle = handle;
    this.#stream = stream;
    this.#lingerMs = lingerMs;
  }

  get isIdle(): boolean {
    return this.#pending === 0;
  }

  start(events: ChannelEvents): void {
    this.#events = events;
    const socket = this.#socket;
    socket.on("error", () => {}); // the close that follows says it
    socket.on("close", () => this.#end(false));
    if (socket.destroyed) return this.#end(false);
    this.#handle.readStop();
    const left = socket.read() as Buffer | null;
    if (left !== null) return this.#consumeFirst(left);
    if (socket.readableEnded) return this.#end(true);
    this.#read();
  }

  send(permit: Permit<To>): Promise<void> | undefined {
    if (this.#socket.destroyed) return undefined;
    const { bytes } = permit;
    if (this.#pending > 0) this.#queue.push(bytes);
    else if (!this.#write(bytes)) return undefined;
    this.#pending += bytes.length;
    if (this.#pending < HIGH_WATER_MARK) return undefined;
    return new Promise((done) => this.#drained.push(done));
  }

  /** Writes; true where the kernel did not take all of it at once. One write at a time: Node's TLS handle takes no second. */
  #write(bytes: Buffer): boolean {
    const request = (this.#request ??= this.#newRequest());
    request.buffer = bytes;
    const error = this.#handle.writeBuffer(request, bytes);
    if (error === 0 && this.#stream.streamBaseState[this.#stream.kLastWriteWasAsync] === 0) return false;
    this.#request = undefined; // libuv's until it completes, and never used again
    if (error === 0) return true;
    this.#socket.destroy();
    return false;
  }

  #written(request: WriteRequest, status: number): void {
    const { buffer } = request;
    request.buffer = undefined;
    this.#pending -= buffer?.length ?? 0;
    if (buffer !== undefined) giveBack(buffer);
    if (status < 0) this.#socket.destroy();
    else this.#writeQueued();
    if (this.#pending < HIGH_WATER_MARK || status < 0) for (const done of this.#drained.splice(0)) done();
    if (this.#pending === 0) this.#ending?.();
  }

  #writeQueued(): void {
    for (let next = this.#queue.shift(); next !== undefined; next = this.#queue.shift()) {
      if (this.#socket.destroyed || this.#write(next)) return;
      this.#pending -= next.length;
      giveBack(next);
    }
  }

  end(lastWord?: Buffer): void {
    const socket = this.#socket;
    this.#closing = true;
    if (socket.destroyed) return;
    const linger = setTimeout(() => socket.destroy(), this.#lingerMs).unref();
    socket.once("close", () => clearTimeout(linger));
    const ending = (): void => {
      this.#ending = undefined;
      if (lastWord !== undefined) socket.write(lastWord);
      if (this.#over) socket.destroySoon();
      else socket.end();
    };
    // The socket writes for itself from here on: not before our own last write is done.
    if (this.#pending === 0) ending();
    else this.#ending = ending;
    this.#resume();
  }

  #newRequest(): WriteRequest {
    const request = new this.#stream.WriteWrap();
    request.handle = this.#handle;
    request.async = false;
    request.oncomplete = (status) => this.#written(request, status);
    return request;
  }

  #read(): void {
    const buffer = (this.#buffer = Buffer.allocUnsafeSlow(SMALL_READ_BYTES));
    this.#handle.onread = () => this.#onread();
    this.#handle.useUserBuffer(buffer);
    this.#handle.readStart();
  }

  /** Called by the handle; what it answers is the buffer to read into next. */
  #onread(): Buffer | undefined {
    const length = this.#stream.streamBaseState[this.#stream.kReadBytesOrError] as number;
    const buffer = this.#buffer as Buffer;
    if (length < 0) {
      if (length !== UV_EOF) this.#socket.destroy();
      else if (this.#closing) this.#socket.destroySoon();
      else if (this.#paused) this.#eof = true;
      else this.#end(true);
      return undefined;
    }
    if (length === 0 || this.#closing) return undefined;
    const began = length === READ_BYTES ? performance.now() : 0;
    const result = this.#consume(length === buffer.length ? buffer : buffer.subarray(0, length));
    if (length === READ_BYTES) this.#takeTurns(performance.now() - began);
    else this.#fullReads = this.#worked = 0;
    const large = this.#wantsLarge(length, buffer.length);
    if (result === true && large === buffer.length > SMALL_READ_BYTES) return undefined;
    if (result === true) giveBack(buffer);
    this.#buffer = large ? takeReadBuffer() : Buffer.allocUnsafeSlow(SMALL_READ_BYTES);
    return this.#buffer;
  }

  /** libuv reads a socket that keeps filling its buffer up to 32 times in a row; all others would wait for two megabytes. */
  #takeTurns(worked: number): void {
    this.#worked += worked;
    const over = ++this.#fullReads >= TURN_READS || this.#worked >= TURN_MS;
    if (!over || this.#paused || this.#socket.destroyed) return;
    this.#fullReads = this.#worked = 0;
    this.#handle.readStop();
    setImmediate(this.#takeNextTurn);
  }

  readonly #takeNextTurn = (): void => {
    if (!this.#paused && !this.#socket.destroyed) this.#handle.readStart();
  };

  #wantsLarge(read: number, room: number): boolean {
    if (read === room) this.#smallReads = 0;
    else if (read <= SMALL_READ_BYTES) this.#smallReads++;
    return room === SMALL_READ_BYTES ? read === room : this.#smallReads < PATIENCE;
  }

  /** Bytes that the handshake had read already: they lie in a buffer of the stream's, and are consumed before all others. */
  #consumeFirst(left: Buffer): void {
    const result = this.#consume(left);
    if (typeof result === "boolean") this.#read();
    else void result.then(() => this.#read());
  }

  /** Never throws. A promise that it answers never rejects; nothing is read until it resolves. */
  #consume(bytes: Buffer): boolean | Promise<void> {
    const { consumer, failed } = this.#events as ChannelEvents;
    if (this.#paused) {
      this.#backlog.push(Buffer.from(bytes));
      return true;
    }
    try {
      const result = consumer(bytes);
      if (typeof result === "boolean") return result;
      this.#paused = true;
      if (!this.#socket.destroyed) this.#handle.readStop();
      return result.then(() => this.#resume(), failed);
    } catch (error) {
      failed(error);
      return false;
    }
  }

  #resume(): void {
    this.#paused = false;
    for (let next = this.#backlog.shift(); next !== undefined && !this.#closing; next = this.#backlog.shift()) {
      void this.#consume(next);
      if (this.#paused) return;
    }
    if (!this.#socket.destroyed && this.#buffer !== undefined) this.#handle.readStart();
    if (this.#eof) this.#end(true);
  }

  #end(orderly: boolean): void {
    if (this.#over) return;
    this.#over = true;
    for (const done of this.#drained.splice(0)) done();
    this.#events?.ended(orderly);
  }
}
