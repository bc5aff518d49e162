import { SallyportError } from "../../core/errors.ts";
import { MessageFields } from "./messages.ts";
import { SftpHandles } from "./sftp-handles.ts";

/** SSH File Transfer Protocol, version 3 (draft-ietf-secsh-filexfer-02), and OpenSSH's extensions (its PROTOCOL, §4). */
const INIT = 1;
const WRITE = 6;
const EXTENDED = 200;
const STATUS = 101;
const HANDLE = 102;
/** §7: SSH_FX_PERMISSION_DENIED. */
const PERMISSION_DENIED = 3;
/** §6.3: flags of OPEN. */
const OPENS_FOR_READING = 1;
const OPENS_FOR_WRITING = 0x02 | 0x04 | 0x08 | 0x10;

const LENGTH_BYTES = 4;
/** Of an answer, type, id, and a handle of at most 256 bytes (§4). */
const MAX_ANSWER_HEAD = 1 + 4 + 4 + 256;
/** A request other than WRITE names two paths at most, each of 4,096 bytes. */
const MAX_REQUEST = 64 << 10;
/** OpenSSH's own bound of a packet (SFTP_MAX_MSG_LENGTH). */
const MAX_PACKET = 256 << 10;

type Operation =
  "read" | "list" | "stat" | "readlink" | "write" | "remove" | "rename" | "mkdir" | "rmdir" | "setstat" | "link";

/** What is done to one file. */
export interface FileAccess {
  readonly operation: Operation;
  readonly path: string;
}

/** A piece of the client's stream: bytes that may go on, or a request that is to be judged first. */
export type Piece =
  | { readonly kind: "bytes"; readonly bytes: Buffer }
  | { readonly kind: "request"; readonly bytes: Buffer; readonly id: number; readonly accesses: readonly FileAccess[] }
  /** The gateway does not know what it does. */
  | { readonly kind: "unknown"; readonly bytes: Buffer; readonly id: number; readonly name: string };

/** Requests by what they do to the path, or the two paths, that they begin with. Those of handles follow an OPEN that was judged. */
const BY_PATH: Readonly<Record<number, readonly Operation[]>> = {
  7: ["stat"], // LSTAT
  9: ["setstat"],
  11: ["list"], // OPENDIR
  13: ["remove"],
  14: ["mkdir"],
  15: ["rmdir"],
  17: ["stat"],
  18: ["rename", "write"],
  19: ["readlink"],
  20: ["stat", "link"], // SYMLINK: OpenSSH gives the target first
};
const OPEN = 3;
const CLOSE = 4;
const FSETSTAT = 10;
/** READ, FSTAT, READDIR of handles, and REALPATH, which tells only what a path would be. */
const HARMLESS: ReadonlySet<number> = new Set([INIT, 5, 8, 12, 16]);
const EXTENSIONS_BY_PATH: Readonly<Record<string, readonly Operation[]>> = {
  "posix-rename@openssh.com": ["rename", "write"],
  "hardlink@openssh.com": ["read", "link"],
  "lsetstat@openssh.com": ["setstat"],
  "statvfs@openssh.com": ["stat"],
};
/** Of handles, of the server itself, and of names. */
const HARMLESS_EXTENSIONS: ReadonlySet<string> = new Set([
  "fstatvfs@openssh.com",
  "fsync@openssh.com",
  "copy-data",
  "limits@openssh.com",
  "expand-path@openssh.com",
  "home-directory",
  "users-groups-by-id@openssh.com",
]);

/** Follows what a client asks of an SFTP server, and holds back each request that names a file until it has been judged. */
export class SftpGate {
  #held: Buffer = EMPTY;
  /** Bytes still to come of a WRITE, whose data are not looked at. */
  #passing = 0;
  /** Bytes still to come of the answer that the last data ended within. */
  #answering = 0;
  #answerHead: Buffer = EMPTY;
  readonly #handles = new SftpHandles();

  /** @param data the next of the client's bytes; what it answers may refer to them */
  push(data: Buffer): Piece[] {
    const pieces: Piece[] = [];
    let rest = this.#held.length > 0 ? Buffer.concat([this.#held, data]) : data;
    this.#held = EMPTY;
    while (rest.length > 0) {
      const taken = this.#passing > 0 ? this.#pass(rest, pieces) : this.#take(rest, pieces);
      if (taken === 0) break;
      rest = rest.subarray(taken);
    }
    if (rest.length > 0) this.#held = Buffer.from(rest);
    return pieces;
  }

  /** Follows what the server answers. */
  answered(data: Buffer): void {
    let rest = data;
    while (rest.length > 0) {
      if (this.#answering === 0) {
        rest = rest.subarray(this.#takeAnswerHead(rest));
        continue;
      }
      const part = Math.min(this.#answering, rest.length);
      this.#answering -= part;
      rest = rest.subarray(part);
    }
  }

  /** Of an answer its length, and where an OPEN waits for one, all that a handle has; what is behind that is skipped. */
  #takeAnswerHead(rest: Buffer): number {
    const before = this.#answerHead.length;
    let head = Buffer.concat([this.#answerHead, rest.subarray(0, Math.max(0, LENGTH_BYTES - before))]);
    if (head.length < LENGTH_BYTES) return this.#keepAnswerHead(head, before);
    const length = head.readUInt32BE(0);
    const wanted = LENGTH_BYTES + (this.#handles.isWaiting ? Math.min(length, MAX_ANSWER_HEAD) : 0);
    head = Buffer.concat([head, rest.subarray(head.length - before, Math.max(head.length, wanted) - before)]);
    if (head.length < wanted) return this.#keepAnswerHead(head, before);
    this.#answerHead = EMPTY;
    this.#answering = LENGTH_BYTES + length - head.length;
    if (wanted > LENGTH_BYTES) this.#heard(head.subarray(LENGTH_BYTES));
    return head.length - before;
  }

  #keepAnswerHead(head: Buffer, before: number): number {
    this.#answerHead = head;
    return head.length - before;
  }

  #heard(answer: Buffer): void {
    const type = answer[0] ?? 0;
    if (type < STATUS || answer.length < 5) return; // of a version, which has no id
    const fields = new MessageFields(answer);
    const id = fields.uint32();
    this.#handles.answered(id, type === HANDLE ? fields.bytes() : undefined);
  }

  /** Whether an answer of ours can stand behind what the server has answered so far. */
  get isBetweenAnswers(): boolean {
    return this.#answering === 0 && this.#answerHead.length === 0;
  }

  #pass(rest: Buffer, pieces: Piece[]): number {
    const part = Math.min(this.#passing, rest.length);
    this.#passing -= part;
    pieces.push({ kind: "bytes", bytes: rest.subarray(0, part) });
    return part;
  }

  #take(rest: Buffer, pieces: Piece[]): number {
    if (rest.length < LENGTH_BYTES + 1) return 0;
    const length = rest.readUInt32BE(0);
    const type = rest.readUInt8(LENGTH_BYTES);
    if (length === 0 || length > (type === WRITE ? MAX_PACKET : MAX_REQUEST))
      throw new SallyportError("protocol-violation", "what the client says is not the SSH file transfer protocol");
    if (type === WRITE) {
      this.#passing = LENGTH_BYTES + length;
      return this.#pass(rest, pieces);
    }
    if (rest.length < LENGTH_BYTES + length) return 0;
    const bytes = rest.subarray(0, LENGTH_BYTES + length);
    pieces.push(this.#pieceOf(type, bytes));
    return bytes.length;
  }

  #pieceOf(type: number, bytes: Buffer): Piece {
    if (HARMLESS.has(type)) return { kind: "bytes", bytes };
    const fields = new MessageFields(bytes, LENGTH_BYTES + 1);
    const id = fields.uint32();
    if (type === CLOSE) {
      this.#handles.closed(fields.bytes());
      return { kind: "bytes", bytes };
    }
    if (type === FSETSTAT) return this.#changeOf(id, fields.bytes(), bytes);
    const piece = pieceOf(type, id, fields, bytes);
    if (type === OPEN && piece.kind === "request") {
      const path = piece.accesses[0]?.path ?? "";
      this.#handles.asked(id, path, piece.accesses[0]?.operation === "write");
    }
    return piece;
  }

  /** Whoever was let write a file may set its mode and times too; what was opened otherwise is judged like a SETSTAT of its path. */
  #changeOf(id: number, handle: Buffer, bytes: Buffer): Piece {
    const opened = this.#handles.find(handle);
    if (opened === undefined) return { kind: "unknown", bytes, id, name: "which file this handle stands for" };
    if (opened.writable) return { kind: "bytes", bytes };
    return { kind: "request", bytes, id, accesses: [{ operation: "setstat", path: opened.path }] };
  }
}

const EMPTY = Buffer.alloc(0);

function pieceOf(type: number, id: number, fields: MessageFields, bytes: Buffer): Piece {
  if (type === OPEN) {
    const path = fields.text();
    const flags = fields.uint32();
    const accesses: FileAccess[] = [];
    if ((flags & OPENS_FOR_WRITING) !== 0) accesses.push({ operation: "write", path });
    if ((flags & OPENS_FOR_READING) !== 0 || accesses.length === 0) accesses.push({ operation: "read", path });
    return { kind: "request", bytes, id, accesses };
  }
  const name = type === EXTENDED ? fields.text() : undefined;
  if (name !== undefined && HARMLESS_EXTENSIONS.has(name)) return { kind: "bytes", bytes };
  const operations = name === undefined ? BY_PATH[type] : EXTENSIONS_BY_PATH[name];
  if (operations === undefined) return { kind: "unknown", bytes, id, name: name ?? `request ${type}` };
  return { kind: "request", bytes, id, accesses: operations.map((operation) => ({ operation, path: fields.text() })) };
}

/** What a client is told of a request that is refused (§7). */
export function refusedRequest(id: number, why: string): Buffer {
  const text = Buffer.from(why);
  const body = Buffer.alloc(1 + 4 + 4 + 4 + text.length + 4);
  body.writeUInt8(STATUS, 0);
  body.writeUInt32BE(id, 1);
  body.writeUInt32BE(PERMISSION_DENIED, 5);
  body.writeUInt32BE(text.length, 9);
  text.copy(body, 13);
  const length = Buffer.alloc(LENGTH_BYTES);
  length.writeUInt32BE(body.length);
  return Buffer.concat([length, body]);
}
