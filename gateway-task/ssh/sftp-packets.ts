import { FieldReader, type WireText } from "../../core/ssh/field-reader.ts";
import type { PrefixedMessage } from "../../core/ssh/prefixed-reader.ts";
import { MAX_MESSAGE_BYTES, MAX_PATH_BYTES } from "./tap.ts";

/** Packets of version 3 of the file transfer protocol (draft-ietf-secsh-filexfer-02 §3), which is what OpenSSH speaks. */
export const SFTP = {
  init: 1,
  version: 2,
  open: 3,
  close: 4,
  read: 5,
  write: 6,
  lstat: 7,
  fstat: 8,
  setstat: 9,
  fsetstat: 10,
  opendir: 11,
  readdir: 12,
  remove: 13,
  mkdir: 14,
  rmdir: 15,
  realpath: 16,
  stat: 17,
  rename: 18,
  readlink: 19,
  symlink: 20,
  status: 101,
  handle: 102,
  data: 103,
  extended: 200,
} as const;

/** More than any server takes: what is longer is no packet. */
export const MAX_PACKET_BYTES = 16 << 20;
/** §4: a handle is at most 256 bytes. */
const MAX_HANDLE_BYTES = 256;
/** Type, id, and the length of the string behind it. */
const STRING_HEAD_BYTES = 9;
/** Two paths, the name of an extension, and what stands around them. */
const MAX_REQUEST_HEAD_BYTES = 2 * MAX_PATH_BYTES + 512;
const MAX_REPLY_HEAD_BYTES = STRING_HEAD_BYTES + 4 + MAX_MESSAGE_BYTES;
const MAX_NAME_BYTES = 64;

/** The head of a request: of a write all that stands before its data. */
export function requestHead(bytes: Buffer, start: number, end: number): number {
  if (bytes[start] !== SFTP.write) return MAX_REQUEST_HEAD_BYTES;
  if (end - start < STRING_HEAD_BYTES) return STRING_HEAD_BYTES;
  return STRING_HEAD_BYTES + Math.min(bytes.readUInt32BE(start + 5), MAX_HANDLE_BYTES) + 12;
}

/** The head of a reply: of data what stands before it; of names and attributes only what they answer. */
export function replyHead(bytes: Buffer, start: number): number {
  if (bytes[start] === SFTP.data) return STRING_HEAD_BYTES;
  return bytes[start] === SFTP.status || bytes[start] === SFTP.handle ? MAX_REPLY_HEAD_BYTES : 5;
}

/** What a request names. Which of it is there depends on its type. */
export interface SftpRequest {
  readonly type: number;
  readonly id: number;
  readonly path: string;
  readonly to: string | undefined;
  readonly handle: string;
  readonly offset: number;
  /** Bytes of what is to be written. */
  readonly length: number;
  /** Flags of an open. */
  readonly mode: number;
  readonly attributes: Readonly<Record<string, number>> | undefined;
  /** The name of an extension. */
  readonly extension: string;
  readonly cut: boolean;
}

/** @param packet the head of a request of the client's, beside `init` */
export function readRequest(packet: PrefixedMessage): SftpRequest {
  const fields = new FieldReader(packet);
  const type = fields.byte();
  const request = { type, id: fields.uint32(), path: "", to: undefined, handle: "", offset: 0, length: 0, mode: 0, attributes: undefined, extension: "", cut: false }; // prettier-ignore
  return { ...request, ...detailsOf(type, fields) };
}

type Details = Partial<SftpRequest>;

function detailsOf(type: number, fields: FieldReader): Details {
  switch (type) {
    case SFTP.close:
    case SFTP.fstat:
    case SFTP.readdir:
      return { handle: fields.opaque() };
    case SFTP.read:
      return { handle: fields.opaque(), offset: fields.uint64() };
    case SFTP.write:
      return { handle: fields.opaque(), offset: fields.uint64(), length: fields.uint32() };
    case SFTP.fsetstat:
      return { handle: fields.opaque(), attributes: attributesOf(fields) };
    case SFTP.open: {
      const path = pathOf(fields);
      const mode = fields.uint32();
      return { path, mode, ...withAttributes(fields) };
    }
    case SFTP.setstat:
    case SFTP.mkdir: {
      const path = pathOf(fields);
      return { path, ...withAttributes(fields) };
    }
    case SFTP.rename:
      return { path: pathOf(fields), to: pathOf(fields), cut: !fields.isWhole };
    case SFTP.symlink: {
      // OpenSSH's order, the reverse of the draft's: what the link points to, then the link (its PROTOCOL, §4.1).
      const to = pathOf(fields);
      return { path: pathOf(fields), to, cut: !fields.isWhole };
    }
    case SFTP.extended:
      return extendedOf(fields);
    default:
      return { path: pathOf(fields), cut: !fields.isWhole };
  }
}

const TWO_PATHS: ReadonlySet<string> = new Set(["posix-rename@openssh.com", "hardlink@openssh.com"]);

function extendedOf(fields: FieldReader): Details {
  const { text: extension } = fields.string(MAX_NAME_BYTES);
  if (TWO_PATHS.has(extension)) return { extension, path: pathOf(fields), to: pathOf(fields), cut: !fields.isWhole };
  if (extension === "lsetstat@openssh.com") {
    const path = pathOf(fields);
    return { extension, path, ...withAttributes(fields) };
  }
  if (extension !== "copy-data") return { extension };
  const handle = fields.opaque();
  fields.uint64();
  fields.uint64();
  return { extension, handle, to: fields.opaque() };
}

const pathOf = (fields: FieldReader): string => fields.string(MAX_PATH_BYTES).text;

function withAttributes(fields: FieldReader): Details {
  const cut = !fields.isWhole;
  return { cut, attributes: cut ? undefined : attributesOf(fields) };
}

/** Attributes (§5); undefined where there are none. */
function attributesOf(fields: FieldReader): Record<string, number> | undefined {
  const flags = fields.uint32();
  const attributes: Record<string, number> = {};
  if (flags & 1) attributes["size"] = fields.uint64();
  if (flags & 2) {
    attributes["uid"] = fields.uint32();
    attributes["gid"] = fields.uint32();
  }
  if (flags & 4) attributes["permissions"] = fields.uint32();
  if (flags & 8) {
    attributes["atime"] = fields.uint32();
    attributes["mtime"] = fields.uint32();
  }
  return Object.keys(attributes).length === 0 ? undefined : attributes;
}

/** A reply that is told: a status, a handle, or anything else, which means that it went well. */
export interface SftpReply {
  readonly type: number;
  readonly id: number;
  readonly code: number;
  readonly message: WireText;
  readonly handle: string;
}

/** @param packet the head of a reply of the server's, beside `version` */
export function readReply(packet: PrefixedMessage): SftpReply {
  const fields = new FieldReader(packet);
  const type = fields.byte();
  const id = fields.uint32();
  const code = type === SFTP.status ? fields.uint32() : STATUS_OK;
  const message = type === SFTP.status ? fields.string(MAX_MESSAGE_BYTES) : { text: "" };
  return { type, id, code, message, handle: type === SFTP.handle ? fields.opaque() : "" };
}

export const STATUS_OK = 0;
export const STATUS_EOF = 1;
export const STATUS_NO_SUCH_FILE = 2;
/** §7. */
const STATUS_NAMES = ["ok", "end of file", "no such file", "permission denied", "failure", "bad message", "no connection", "connection lost", "operation unsupported"]; // prettier-ignore

export function statusName(code: number): string {
  return STATUS_NAMES[code] ?? `status ${code}`;
}
