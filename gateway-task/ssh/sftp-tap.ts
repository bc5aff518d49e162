import { FLAG_WITHHELD } from "../../core/recording/frame.ts";
import type { FileEvent } from "../../core/recording/ssh-events.ts";
import { type PrefixedHandler, type PrefixedMessage, PrefixedReader } from "../../core/ssh/prefixed-reader.ts";
import { Moved } from "./moved.ts";
import { movedAs, type Operation, toldAs } from "./sftp-operations.ts";
import {
  MAX_PACKET_BYTES,
  readReply,
  readRequest,
  replyHead,
  requestHead,
  SFTP,
  STATUS_EOF,
  STATUS_NO_SUCH_FILE,
  STATUS_OK,
  statusName,
  type SftpReply,
  type SftpRequest,
} from "./sftp-packets.ts";
import type { Tap, TapSink } from "./tap.ts";

/** Many times what OpenSSH's client asks ahead (64), and what its server opens. */
const MAX_REQUESTS = 4_096;
const MAX_HANDLES = 4_096;
/** What a request and an open file weigh beside their paths, roughly. */
const REQUEST_BYTES = 200;
const HANDLE_BYTES = 300;
/** The version that OpenSSH speaks; later ones have other packets. */
const VERSION = 3;

interface OpenFile {
  readonly path: string;
  readonly cut: boolean;
  readonly mode: number;
  readonly isDirectory: boolean;
  readonly askedAt: number;
  readonly read: Moved;
  readonly written: Moved;
  /** What first went wrong. */
  failure: Answer | undefined;
}

type Answer = Pick<FileEvent, "status" | "message">;

interface Pending {
  readonly request: SftpRequest;
  /** What its handle stands for. */
  readonly file: OpenFile | undefined;
  readonly askedAt: number;
  readonly refused: boolean;
}

/** Follows sftp (version 3): tells each file that was moved when it is closed, and each other operation when it is answered. */
export class SftpTap implements Tap {
  readonly #sink: TapSink;
  readonly #requests: PrefixedReader;
  readonly #replies: PrefixedReader;
  readonly #pending = new Map<number, Pending>();
  readonly #files = new Map<string, OpenFile>();
  #bytes = 0;
  #isLost = false;
  /** Where the data of the packet at hand goes. */
  #writing: Moved | undefined;
  #reading: Moved | undefined;

  constructor(sink: TapSink) {
    this.#sink = sink;
    const lost = (why: string, { micros }: PrefixedMessage): void => this.#lose(why, micros);
    this.#requests = new PrefixedReader(
      {
        wanted: requestHead,
        message: (packet) => this.#request(packet),
        rest: (bytes, start, end, _, flags) => this.#writing?.push(bytes, start, end, flags),
        lost,
      } satisfies PrefixedHandler,
      MAX_PACKET_BYTES,
    );
    this.#replies = new PrefixedReader(
      {
        wanted: replyHead,
        message: (packet) => this.#reply(packet),
        rest: (bytes, start, end, _, flags) => this.#reading?.push(bytes, start, end, flags),
        lost,
      } satisfies PrefixedHandler,
      MAX_PACKET_BYTES,
    );
  }

  get held(): number {
    return this.#bytes + this.#requests.held + this.#replies.held;
  }

  fromClient(bytes: Buffer, start: number, end: number, micros: number, flags: number): void {
    this.#requests.push(bytes, start, end, micros, flags);
  }

  fromTarget(bytes: Buffer, start: number, end: number, micros: number, flags: number): void {
    this.#replies.push(bytes, start, end, micros, flags);
  }

  finish(micros: number): void {
    for (const pending of this.#pending.values()) this.#answered(pending, { status: "unknown" }, STATUS_OK, micros);
    this.#pending.clear();
    for (const file of this.#files.values())
      if (!file.isDirectory) this.#closed(file, { status: "unknown" }, false, micros);
    this.#files.clear();
    this.#bytes = 0;
  }

  #request(packet: PrefixedMessage): void {
    this.#writing = undefined;
    if (packet.bytes[packet.start] === SFTP.init) return;
    const request = readRequest(packet);
    const file = this.#fileOf(request);
    const refused = (packet.flags & FLAG_WITHHELD) !== 0;
    if (request.type === SFTP.write && file !== undefined && !refused) {
      this.#writing = file.written;
      file.written.at(request.offset);
    }
    if (request.type === SFTP.close && file !== undefined && !refused) this.#forgetFile(request.handle, file);
    const pending = { request, file, askedAt: packet.micros, refused };
    if (this.#pending.has(request.id)) return this.#lose("two requests bear the same id", packet.micros);
    if (this.#pending.size >= MAX_REQUESTS) return this.#lose("too many requests are unanswered", packet.micros);
    this.#pending.set(request.id, pending);
    this.#bytes += weightOf(pending);
  }

  #reply(packet: PrefixedMessage): void {
    this.#reading = undefined;
    if (packet.bytes[packet.start] === SFTP.version) {
      if (packet.end - packet.start >= 5 && packet.bytes.readUInt32BE(packet.start + 1) > VERSION)
        this.#lose("it speaks another version than 3", packet.micros);
      return;
    }
    const reply = readReply(packet);
    const pending = this.#pending.get(reply.id);
    if (pending === undefined) return;
    this.#pending.delete(reply.id);
    this.#bytes -= weightOf(pending);
    const { request } = pending;
    const file = this.#lateFile(pending);
    if (reply.type === SFTP.data && request.type === SFTP.read && file !== undefined) {
      this.#reading = file.read;
      file.read.at(request.offset);
    } else if (reply.type === SFTP.handle) this.#opened(pending, reply, packet.micros);
    else this.#answered({ ...pending, file }, answerOf(reply), reply.code, packet.micros);
  }

  #fileOf({ handle }: SftpRequest): OpenFile | undefined {
    return handle === "" ? undefined : this.#files.get(handle);
  }

  /** A client that guesses a handle may use it before it is given one: what it stands for shows when that is answered. */
  #lateFile({ request, file, refused }: Pending): OpenFile | undefined {
    if (file !== undefined || refused) return file;
    const late = this.#fileOf(request);
    if (late === undefined) return undefined;
    if (request.type === SFTP.write) late.written.missed(request.length);
    if (request.type === SFTP.close) this.#forgetFile(request.handle, late);
    return late;
  }

  #opened(pending: Pending, { handle }: SftpReply, micros: number): void {
    const { request, askedAt } = pending;
    const isDirectory = request.type === SFTP.opendir;
    if (isDirectory) this.#answered(pending, { status: statusName(STATUS_OK) }, STATUS_OK, micros);
    if (!isDirectory && request.type !== SFTP.open) return;
    const { path, cut, mode } = request;
    const file = { path, cut, mode, isDirectory, askedAt, read: new Moved(), written: new Moved(), failure: undefined };
    const before = this.#files.get(handle);
    if (before !== undefined) this.#forgetFile(handle, before);
    if (this.#files.size >= MAX_HANDLES) return this.#lose("too many files are open", micros);
    this.#files.set(handle, file);
    this.#bytes += HANDLE_BYTES + 2 * path.length;
  }

  #forgetFile(handle: string, file: OpenFile): void {
    this.#files.delete(handle);
    this.#bytes -= HANDLE_BYTES + 2 * file.path.length;
  }

  #answered(pending: Pending, answer: Answer, code: number, micros: number): void {
    const { request, file, refused } = pending;
    const failed = code !== STATUS_OK && code !== STATUS_EOF;
    const moves = request.type === SFTP.read || request.type === SFTP.write;
    if (moves && file !== undefined && !refused) {
      if (failed) file.failure ??= answer;
      return;
    }
    if (request.type === SFTP.close) {
      if (file !== undefined && !file.isDirectory) this.#closed(file, answer, refused, micros);
      return;
    }
    const operation = toldAs(request, refused || (failed && code !== STATUS_NO_SUCH_FILE));
    if (operation !== undefined) this.#tell(pending, operation, answer, micros);
  }

  #tell({ request, file, askedAt, refused }: Pending, operation: Operation, answer: Answer, micros: number): void {
    const isCopy = operation === "copy";
    const to = isCopy ? this.#files.get(request.to ?? "")?.path : request.to;
    const path = file?.path ?? request.path;
    this.#sink.file(
      {
        via: "sftp",
        operation,
        path: operation === "extended" ? request.extension : path,
        ...(to === undefined ? {} : { to }),
        ...(request.cut || file?.cut ? { cut: true } : {}),
        ...answer,
        ...(refused ? { refused } : {}),
        ...(request.attributes === undefined ? {} : { attributes: request.attributes }),
        askedAt,
        ...(answer.status === "unknown" ? {} : { duration: micros - askedAt }),
      },
      micros,
    );
  }

  #closed(file: OpenFile, answer: Answer, refused: boolean, micros: number): void {
    const { read, written, mode, askedAt } = file;
    const operation = read.isEmpty === written.isEmpty ? movedAs(mode) : read.isEmpty ? "write" : "read";
    this.#sink.file(
      {
        via: "sftp",
        operation,
        path: file.path,
        ...(file.cut ? { cut: true } : {}),
        ...(file.failure ?? answer),
        ...(refused ? { refused } : {}),
        ...(operation === "write" ? {} : { read: read.end() }),
        ...(operation === "read" ? {} : { written: written.end() }),
        askedAt,
        ...(answer.status === "unknown" ? {} : { duration: micros - askedAt }),
      },
      micros,
    );
  }

  #lose(why: string, micros: number): void {
    if (this.#isLost) return;
    this.#isLost = true;
    this.#requests.stop();
    this.#replies.stop();
    this.finish(micros);
    this.#sink.lost(`sftp is not followed any further: ${why}`, micros);
  }
}

function answerOf({ code, message }: SftpReply): Answer {
  const status = statusName(code);
  // OpenSSH's words for a code say no more than its name does.
  const says = code !== STATUS_OK && message.text !== "" && message.text.toLowerCase() !== status;
  return says ? { status, message: message.text } : { status };
}

function weightOf({ request }: Pending): number {
  return REQUEST_BYTES + 2 * (request.path.length + (request.to?.length ?? 0));
}
