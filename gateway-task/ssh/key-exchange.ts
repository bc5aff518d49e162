import constants from "ssh2/lib/protocol/constants.js";
import utils from "ssh2/lib/protocol/utils.js";
import { type HostKeyExchange, SIGNATURE_ALGORITHMS, takeHostCertificate } from "./host-certificate.ts";
import { clientExchange, HAS_HYBRID_EXCHANGE, serverExchange, spent } from "./hybrid-exchange.ts";
import { message, MessageFields } from "./messages.ts";

/**
 * This file touches what ssh2 does not document: it adds to a connection's key exchanges what the library has no
 * place for. The library is made to negotiate a stand-in, an exchange that we never offer, wherever both sides name ours; the
 * object that it makes for it then computes ours. On the wire, and in what is signed, stand the true names.
 */
export interface ExchangingProtocol {
  readonly _server: boolean;
  _offer: Offer;
  _kex: Exchange | undefined;
  readonly _packetRW: { readonly write: PacketWriter };
  _onHandshakeComplete: (negotiated: unknown) => void;
}

/** What the library sends of a protocol's messages. */
interface PacketWriter {
  readonly allocStart: number;
  readonly allocStartKEX: number;
  alloc(bytes: number, force?: boolean): Buffer;
  finalize(packet: Buffer, force?: boolean): Buffer;
}

/** Our KEXINIT: names as they are compared, and (behind `copyAllTo`) bytes as they are sent. */
interface Offer {
  readonly lists: { readonly kex: { readonly array: readonly string[] } };
}

/** One exchange of keys. */
interface Exchange extends HostKeyExchange {
  readonly sessionID: Buffer | undefined;
  readonly negotiated: { kex: string; serverHostKey: string };
  /** The peer's KEXINIT, as it is signed. */
  _remoteKexinit: Buffer;
  /** The peer takes an EXT_INFO (RFC 8308). */
  remoteExtInfoEnabled: boolean;
  getPublicKey(): Buffer;
  convertPublicKey(key: Buffer): Buffer;
  /** Instead of throwing it returns an error. What it gives is hashed as a string: of an mpint it has to have the form. */
  computeSecret(theirs: Buffer): Buffer | Error;
}

export const HYBRID_EXCHANGE = "mlkem768x25519-sha256";
/** Hashes with SHA-256 as well. */
const STAND_IN = "ecdh-sha2-nistp256";

const NOTHING = Buffer.alloc(0);
const KEXINIT = 20;
const EXT_INFO = 7;
/** Where the names of the key exchanges begin in a KEXINIT: behind its type and a cookie (RFC 4253 §7.1). */
const NAMES_AT = 17;

/** What our server takes of a client's keys (RFC 8308 §3.1). The library's own list lacks a comma. */
const SIGNATURES = SIGNATURE_ALGORITHMS.join(",");

// The library lets nobody offer what it does not know.
if (HAS_HYBRID_EXCHANGE) constants.SUPPORTED_KEX.push(HYBRID_EXCHANGE);

/** Extends the key exchanges of a connection on which none has begun. */
export function extendKeyExchange(protocol: ExchangingProtocol): void {
  addHybridExchange(protocol);
  if (protocol._server) correctExtensions(protocol);
}

function addHybridExchange(protocol: ExchangingProtocol): void {
  const { _offer: offer } = protocol;
  const array = offer.lists.kex.array.map(swapped);
  const lists = { ...offer.lists, kex: { ...offer.lists.kex, array } };
  protocol._offer = Object.assign(Object.create(offer) as Offer, { lists });
  let received = NOTHING;
  const reader = {
    read(payload: Buffer): Buffer {
      const kept = Buffer.from(payload); // of an exchange the library keeps parts, and the buffer is read into again
      if (kept[0] !== KEXINIT) return kept;
      received = kept;
      return withSwappedNames(kept);
    },
    cleanup() {},
  };
  // After each exchange the library puts a new reader there: of use for compression alone, which is not offered.
  Object.defineProperty(protocol._packetRW, "read", { get: () => reader, set: () => {} });
  let current: Exchange | undefined;
  Object.defineProperty(protocol, "_kex", {
    get: () => current,
    set(exchange: Exchange | undefined) {
      current = exchange;
      if (exchange === undefined) return;
      exchange._remoteKexinit = received;
      received = NOTHING;
      if (exchange.negotiated.kex === STAND_IN) becomeHybrid(exchange, protocol._server);
      if (!protocol._server) takeHostCertificate(exchange);
    },
  });
}

function becomeHybrid(exchange: Exchange, server: boolean): void {
  let ours = server ? serverExchange() : clientExchange();
  exchange.negotiated.kex = HYBRID_EXCHANGE;
  exchange.getPublicKey = () => ours.share;
  exchange.convertPublicKey = (key) => key;
  exchange.computeSecret = (theirs) => {
    try {
      const secret = ours.secret(theirs);
      ours = spent(ours.share); // the library keeps this object as long as the connection lives, and our keys must not
      return secret;
    } catch (thrown) {
      return thrown as Error;
    }
  };
}

/** A peer that names the stand-in itself must not be taken to mean ours. */
function swapped(name: string): string {
  if (name === HYBRID_EXCHANGE) return STAND_IN;
  return name === STAND_IN ? HYBRID_EXCHANGE : name;
}

/** As it came where it is malformed: the library says so. */
function withSwappedNames(kexinit: Buffer): Buffer {
  try {
    const fields = new MessageFields(kexinit, NAMES_AT);
    const names = fields.bytes().toString("latin1").split(",").map(swapped).join(",");
    const list = message(0, names).subarray(1);
    return Buffer.concat([kexinit.subarray(0, NAMES_AT), list, kexinit.subarray(fields.at)]);
  } catch (thrown) {
    if (thrown instanceof RangeError) return kexinit;
    throw thrown;
  }
}

/** Says what we take of a client's keys, in place of the library. It comes next behind the first NEWKEYS (RFC 8308 §2.4). */
function correctExtensions(protocol: ExchangingProtocol): void {
  const complete = protocol._onHandshakeComplete;
  protocol._onHandshakeComplete = (negotiated) => {
    protocol._onHandshakeComplete = complete;
    if (protocol._kex?.remoteExtInfoEnabled) {
      protocol._kex.remoteExtInfoEnabled = false;
      sendMessage(protocol, message(EXT_INFO, 1, "server-sig-algs", SIGNATURES));
    }
    complete(negotiated);
  };
}

/** Sends a message outside of key exchanges; where one is under way it waits for its end. */
export function sendMessage(protocol: Pick<ExchangingProtocol, "_packetRW">, payload: Buffer): void {
  const { write } = protocol._packetRW;
  const packet = write.alloc(payload.length);
  packet.set(payload, write.allocStart);
  utils.sendPacket(protocol, write.finalize(packet));
}
