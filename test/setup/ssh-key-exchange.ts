import { createDecipheriv, createHash, createPublicKey, verify } from "node:crypto";
import { once } from "node:events";
import net from "node:net";
import { string, u32 } from "./ssh-bytes.ts";

/**
 * The transport protocol of SSH by hand, as far as the end of its first key exchange (RFC 4253), from nothing but its
 * documents: what a server signs and encrypts is checked against this, and not against the library that made it.
 */
export interface HandMadeClient {
  /** The names of the server's first offer. */
  readonly offered: readonly string[];
  /** Sends a share; undefined where the server closes the connection instead of answering. */
  exchange(share: Buffer): Promise<Answer | undefined>;
  close(): void;
}

interface Answer {
  readonly share: Buffer;
  /** Whether the server signed the exchange that has this secret, in the form in which it is hashed (length and bytes). */
  signed(secret: Buffer): boolean;
  /** The first message that it encrypts for it. Sends NEWKEYS. */
  firstEncrypted(secret: Buffer): Promise<Buffer>;
}

const IDENT = "SSH-2.0-HandMade";
const KEXINIT = 20;
const NEWKEYS = 21;
const ECDH_INIT = 30;
const CIPHER = "aes128-gcm@openssh.com";

export async function handMadeClient(port: number, exchanges: readonly string[]): Promise<HandMadeClient> {
  const socket = net.connect(port, "127.0.0.1");
  const read = reader(socket);
  const names = [exchanges.join(","), "ssh-ed25519", CIPHER, CIPHER, "", "", "none", "none", "", ""];
  const ours = Buffer.concat([Buffer.of(KEXINIT), Buffer.alloc(16), ...names.map(string), Buffer.of(0), u32(0)]);
  socket.write(`${IDENT}\r\n`);
  socket.write(packet(ours));
  const ident = await read.line();
  const theirs = await read.packet();
  if (theirs === undefined) throw new Error("the server does not offer anything");
  return {
    offered: field(theirs, 17).bytes.toString().split(","),
    async exchange(share) {
      socket.write(packet(Buffer.concat([Buffer.of(ECDH_INIT), string(share)])));
      const reply = await read.packet();
      if (reply === undefined || reply[0] !== ECDH_INIT + 1) return undefined;
      const key = field(reply, 1);
      const answer = field(reply, key.end);
      const signature = field(reply, answer.end).bytes;
      const hash = (secret: Buffer): Buffer => {
        const signed = [IDENT, ident, ours, theirs, key.bytes, share, answer.bytes].map(string);
        return sha256(...signed, secret);
      };
      return {
        share: answer.bytes,
        signed: (secret) => verify(null, hash(secret), ed25519(key.bytes), field(signature, 15).bytes),
        async firstEncrypted(secret) {
          await read.packet(); // its NEWKEYS
          socket.write(packet(Buffer.of(NEWKEYS)));
          const id = hash(secret);
          const derived = (letter: string): Buffer => sha256(secret, id, Buffer.from(letter), id); // RFC 4253 §7.2
          return read.encrypted(derived("D").subarray(0, 16), derived("B").subarray(0, 12));
        },
      };
    },
    close: () => void socket.destroy(),
  };
}

function sha256(...parts: readonly Buffer[]): Buffer {
  const hash = createHash("sha256");
  for (const part of parts) hash.update(part);
  return hash.digest();
}

/** RFC 8709 §4: the type, then the raw key. */
function ed25519(blob: Buffer) {
  const prefix = Buffer.from("302a300506032b6570032100", "hex");
  return createPublicKey({ key: Buffer.concat([prefix, blob.subarray(-32)]), type: "spki", format: "der" });
}

function field(bytes: Buffer, at: number): { bytes: Buffer; end: number } {
  const end = at + 4 + bytes.readUInt32BE(at);
  return { bytes: bytes.subarray(at + 4, end), end };
}

/** RFC 4253 §6, without a cipher. */
function packet(payload: Buffer): Buffer {
  const padding = 8 + ((16 - ((5 + payload.length + 8) % 8)) % 8);
  return Buffer.concat([u32(1 + payload.length + padding), Buffer.of(padding), payload, Buffer.alloc(padding)]);
}

function reader(socket: net.Socket) {
  let come = Buffer.alloc(0);
  socket.on("data", (bytes) => (come = Buffer.concat([come, bytes])));
  socket.on("error", () => {});
  const closed = once(socket, "close").then(() => "closed" as const);
  const has = async (enough: () => boolean): Promise<boolean> => {
    while (!enough()) {
      const one = await Promise.race([once(socket, "data"), closed]);
      if (one === "closed") return enough();
    }
    return true;
  };
  const take = (bytes: number): Buffer => {
    const taken = come.subarray(0, bytes);
    come = come.subarray(bytes);
    return taken;
  };
  const whole = (): boolean => come.length >= 4 && come.length >= 4 + come.readUInt32BE(0);
  return {
    async line(): Promise<string> {
      await has(() => come.includes("\n"));
      return take(come.indexOf("\n") + 1)
        .toString()
        .trimEnd();
    },
    async packet(): Promise<Buffer | undefined> {
      if (!(await has(whole))) return undefined;
      const bytes = take(4 + come.readUInt32BE(0));
      return bytes.subarray(5, bytes.length - (bytes[4] as number));
    },
    /** RFC 5647 §7.3: the length is authenticated, and in the clear. */
    async encrypted(key: Buffer, nonce: Buffer): Promise<Buffer> {
      await has(() => come.length >= 4 && come.length >= 4 + come.readUInt32BE(0) + 16);
      const length = take(4);
      const decipher = createDecipheriv("aes-128-gcm", key, nonce).setAAD(length);
      const sealed = take(length.readUInt32BE(0));
      decipher.setAuthTag(take(16));
      const clear = Buffer.concat([decipher.update(sealed), decipher.final()]);
      return clear.subarray(1, clear.length - (clear[0] as number));
    },
  };
}
