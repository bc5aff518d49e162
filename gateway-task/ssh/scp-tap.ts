import { cutWireText } from "../../core/wire-text.ts";
import type { FileEvent } from "../../core/recording/ssh-events.ts";
import { Moved } from "./moved.ts";
import { MAX_MESSAGE_BYTES, MAX_PATH_BYTES, type Tap, type TapSink } from "./tap.ts";

/** A line of the source's: a name, its mode and its size. */
const MAX_LINE_BYTES = MAX_PATH_BYTES + 64;
/** Folders within folders; a path of more is longer than a path may be. */
const MAX_DEPTH = MAX_PATH_BYTES / 2;
const LF = 0x0a;
const OK = 0;
const FATAL = 2;
const ENTRY = /^([CD])([0-7]{3,5}) (\d{1,19}) (.+)$/s;
const TIMES = /^T\d+ \d+ \d+ \d+$/;

interface Entry {
  readonly path: string;
  readonly isDirectory: boolean;
  readonly size: number;
  readonly permissions: number;
  readonly cut: boolean;
  readonly askedAt: number;
  readonly moved: Moved;
  /** What the source said behind the file's bytes, where it could not read them all. */
  fault: string | undefined;
}

const EMPTY = Buffer.alloc(0);

/** What the source is saying: a line; a file's bytes; how they ended; the words of that; or nothing, until the sink has answered. */
type State = "line" | "asked" | "data" | "trailer" | "words" | "confirm";

/**
 * Follows the old scp protocol, which OpenSSH speaks with `-O`: a source sends lines (`C` a file, `D` a folder, `E` its
 * end, `T` times) and files, and the sink answers each with a zero, or with a word of what went wrong.
 * @param fromTarget the target is the source
 */
export class ScpTap implements Tap {
  readonly #sink: TapSink;
  readonly #fromTarget: boolean;
  #state: State = "line";
  #line: Buffer = EMPTY;
  #lineBytes = 0;
  readonly #folders: string[] = [];
  #entry: Entry | undefined;
  #missing = 0;
  /** The words of the sink's failure at hand; undefined outside of one. */
  #words: Buffer | undefined;
  #wordBytes = 0;
  #isLost = false;

  constructor(sink: TapSink, fromTarget: boolean) {
    this.#sink = sink;
    this.#fromTarget = fromTarget;
  }

  get held(): number {
    return (
      this.#line.length + (this.#words?.length ?? 0) + 2 * this.#folders.reduce((sum, name) => sum + name.length, 0)
    );
  }

  fromClient(bytes: Buffer, start: number, end: number, micros: number, flags: number): void {
    if (this.#fromTarget) this.#sinkSays(bytes, start, end, micros);
    else this.#sourceSays(bytes, start, end, micros, flags);
  }

  fromTarget(bytes: Buffer, start: number, end: number, micros: number, flags: number): void {
    if (this.#fromTarget) this.#sourceSays(bytes, start, end, micros, flags);
    else this.#sinkSays(bytes, start, end, micros);
  }

  finish(micros: number): void {
    this.#tell("unknown", undefined, micros);
  }

  #sourceSays(bytes: Buffer, start: number, end: number, micros: number, flags: number): void {
    for (let at = start; at < end && !this.#isLost;) {
      switch (this.#state) {
        case "asked":
          // It does not wait for the answer, as some clients do not.
          this.#accepted(micros);
          break;
        case "confirm":
          this.#tell("unknown", undefined, micros);
          break;
        case "data":
          at = this.#data(bytes, at, end, flags);
          break;
        case "trailer":
          this.#state = bytes[at++] === OK ? "confirm" : "words";
          break;
        case "line":
        case "words":
          at = this.#lineOf(bytes, at, end, micros);
          break;
      }
    }
  }

  #data(bytes: Buffer, start: number, end: number, flags: number): number {
    const at = Math.min(end, start + this.#missing);
    this.#missing -= at - start;
    this.#entry?.moved.push(bytes, start, at, flags);
    if (this.#missing === 0) this.#state = "trailer";
    return at;
  }

  #lineOf(bytes: Buffer, start: number, end: number, micros: number): number {
    const feed = bytes.subarray(start, end).indexOf(LF);
    const stop = feed < 0 ? end : start + feed;
    if (this.#line.length === 0) this.#line = Buffer.allocUnsafe(MAX_LINE_BYTES);
    if (this.#lineBytes + stop - start > MAX_LINE_BYTES) {
      this.#lose("a line is too long", micros);
      return end;
    }
    this.#lineBytes += bytes.copy(this.#line, this.#lineBytes, start, stop);
    if (feed < 0) return end;
    const line = this.#line.subarray(0, this.#lineBytes);
    this.#line = EMPTY;
    this.#lineBytes = 0;
    if (this.#state === "words") {
      if (this.#entry !== undefined) this.#entry.fault = wordsOf(line);
      this.#state = "confirm";
    } else this.#control(line, micros);
    return stop + 1;
  }

  #control(line: Buffer, micros: number): void {
    const [first = OK] = line;
    if (first > OK && first <= FATAL) return this.#failedWithout(wordsOf(line.subarray(1)), micros);
    const text = cutWireText(line, 0, line.length);
    if (TIMES.test(text)) return;
    if (text === "E") return void this.#folders.pop();
    const [, kind, mode = "", size = "", name = ""] = ENTRY.exec(text) ?? [];
    if (kind === undefined) return this.#lose("a line is none of the protocol's", micros);
    const path = joined([...this.#folders, name]);
    const cut = path.length > MAX_PATH_BYTES;
    this.#entry = {
      path: cut ? path.slice(0, MAX_PATH_BYTES) : path,
      isDirectory: kind === "D",
      size: Number(size),
      permissions: Number.parseInt(mode, 8),
      cut,
      askedAt: micros,
      moved: new Moved(),
      fault: undefined,
    };
    this.#state = "asked";
    if (kind !== "D") return;
    if (this.#folders.length >= MAX_DEPTH) return this.#lose("folders are too deep", micros);
    this.#folders.push(name);
  }

  #sinkSays(bytes: Buffer, start: number, end: number, micros: number): void {
    for (let at = start; at < end && !this.#isLost; at++) {
      const byte = bytes[at] as number;
      if (this.#words !== undefined) {
        if (byte === LF) this.#failed(micros);
        else if (this.#wordBytes < MAX_MESSAGE_BYTES) this.#words[this.#wordBytes++] = byte;
      } else if (byte === OK) this.#answered(micros);
      else if (byte <= FATAL) this.#words = Buffer.alloc(MAX_MESSAGE_BYTES);
      else this.#lose("an answer is none of the protocol's", micros);
    }
  }

  #answered(micros: number): void {
    if (this.#state === "asked") this.#accepted(micros);
    else if (this.#state === "confirm") this.#tell("ok", undefined, micros);
  }

  #failed(micros: number): void {
    const words = wordsOf((this.#words ?? EMPTY).subarray(0, this.#wordBytes));
    this.#words = undefined;
    this.#wordBytes = 0;
    if (this.#entry === undefined) return this.#failedWithout(words, micros);
    if (this.#state !== "asked" && this.#state !== "confirm") {
      this.#entry.fault = words; // the source goes on all the same
      return;
    }
    // A folder that the sink does not take is not sent either.
    if (this.#state === "asked" && this.#entry.isDirectory) this.#folders.pop();
    this.#tell("failure", words, micros);
  }

  /** The sink takes what it was asked to take. */
  #accepted(micros: number): void {
    const { isDirectory = false, size = 0 } = this.#entry ?? {};
    if (isDirectory) return this.#tell("ok", undefined, micros);
    this.#missing = size;
    this.#state = size === 0 ? "trailer" : "data";
  }

  /** Tells the entry at hand, if there is one; the source goes on with its next line. */
  #tell(status: string, message: string | undefined, micros: number): void {
    const entry = this.#entry;
    this.#entry = undefined;
    this.#state = "line";
    if (entry === undefined) return;
    const words = message ?? entry.fault;
    // Folders on the target are made, those of the client are none of its files.
    if (entry.isDirectory && this.#fromTarget) return;
    const moved = entry.isDirectory ? undefined : entry.moved.end();
    this.#sink.file(
      {
        via: "scp",
        operation: entry.isDirectory ? "mkdir" : this.#fromTarget ? "read" : "write",
        path: entry.path,
        ...(entry.cut ? { cut: true } : {}),
        status: entry.fault === undefined ? status : "failure",
        ...(words === undefined ? {} : { message: words }),
        ...(moved === undefined ? {} : this.#fromTarget ? { read: moved } : { written: moved }),
        attributes: { permissions: entry.permissions, ...(entry.isDirectory ? {} : { size: entry.size }) },
        askedAt: entry.askedAt,
        ...(status === "unknown" ? {} : { duration: micros - entry.askedAt }),
      },
      micros,
    );
  }

  /** One side says that something went wrong, of no file that is under way. */
  #failedWithout(message: string, micros: number): void {
    const operation: FileEvent["operation"] = this.#fromTarget ? "read" : "write";
    this.#sink.file({ via: "scp", operation, path: "", status: "failure", message, askedAt: micros }, micros);
  }

  #lose(why: string, micros: number): void {
    this.finish(micros);
    this.#isLost = true;
    this.#folders.length = 0;
    this.#line = EMPTY;
    this.#sink.lost(`scp is not followed any further: ${why}`, micros);
  }
}

function wordsOf(line: Buffer): string {
  return cutWireText(line, 0, Math.min(line.length, MAX_MESSAGE_BYTES)).trim();
}

/** The path, or as much of its beginning as shows that it is too long: a hostile one has thousands of long names. */
function joined(names: readonly string[]): string {
  let path = names[0] ?? "";
  for (let at = 1; at < names.length && path.length <= MAX_PATH_BYTES; at++) path += `/${names[at]}`;
  return path;
}
