import type net from "node:net";
import { asSallyportError, SallyportError } from "../../core/errors.ts";
import type { CloseReason } from "../../core/ports/session-store.ts";
import type { SessionEvent } from "../../core/recording/events.ts";
import type { Side } from "../recorder/permit.ts";
import type { SessionRecorder } from "../recorder/session-recorder.ts";
import { ChannelTraffic } from "./channel-traffic.ts";
import { type Channel, Channels, isOurs } from "./channels.ts";
import type { DeciderDeps } from "./decider.ts";
import type { Asked } from "./gate.ts";
import { GivenRequests } from "./guarded/given-requests.ts";
import { Jump } from "./jump.ts";
import type { Leg } from "./leg.ts";
import { clampPacketSize, MESSAGE, message, MessageFields, OPEN_FAILURE } from "./messages.ts";
import type { SessionMasks } from "./masking/session-masks.ts";
import { Passage } from "./passage.ts";
import { answerOf, Replies } from "./replies.ts";

/** What a channel that ends here must take at a time (RFC 4253 §6.1 has 32 KiB): else each byte would be a message. */
const MIN_PACKET = 1_024;
const TINY_PACKETS = `the gateway needs packets of ${MIN_PACKET} bytes at least`;
/** Global requests that are passed on unjudged. */
const HARMLESS_GLOBALS: ReadonlySet<string> = new Set([
  "keepalive@openssh.com",
  "no-more-sessions@openssh.com",
  "cancel-tcpip-forward",
  "cancel-streamlocal-forward@openssh.com",
]);
/** Global requests that make the target take connections, and the kind of channel that each of those comes by. */
const LISTENING: ReadonlyMap<string, string> = new Map([
  ["tcpip-forward", "forwarded-tcpip"],
  ["streamlocal-forward@openssh.com", "forwarded-streamlocal@openssh.com"],
]);

/** What a session's end is called in the index, by the error that ended it. */
const REASONS: Partial<Record<SallyportError["code"], CloseReason>> = {
  "access-denied": "refused",
  "protocol-violation": "protocol-violation",
  "limit-exceeded": "limit-exceeded",
  "target-lost": "target-lost",
  "shutting-down": "shutting-down",
};

/** What of the gateway's own a forward leads to. */
export type Destination = { readonly refused: string } | { readonly connections: readonly string[] };

/** What a relay needs to judge. */
export interface RelayDeps extends DeciderDeps {
  /** The connection's name, where its shells are guarded. */
  readonly guarded: string | undefined;
  /** What of the gateway's own a forward leads to, if it does: that is not reached through a target. */
  readonly ours: (to: { readonly host: string; readonly port: number }) => Destination | undefined;
  /** Serves a client that jumps to one of these connections; or tells why not. */
  readonly jump: (socket: net.Socket, connections: readonly string[]) => string | undefined;
  /** What is masked of what the target shows; undefined: nothing. */
  readonly masks: SessionMasks | undefined;
}

/**
 * The life of an SSH session after its log-ins: every message of the connection protocol (RFC 4254) is recorded and only then,
 * with the recorder's permit, passed on, with its windows as they are. What policy decides on waits in its
 * channel alone. It ends once, on one path, and says why.
 */
export class Relay {
  readonly #recorder: SessionRecorder;
  readonly #client: Leg<"client">;
  readonly #target: Leg<"target">;
  readonly #deps: RelayDeps;
  readonly #ended: (reason: CloseReason, error: SallyportError | undefined) => void;
  readonly #passage: Passage;
  readonly #channels = new Channels();
  readonly #traffic: ChannelTraffic;
  /** Answers to global requests that are owed to the client, and to the target. */
  readonly #owed = { client: new Replies(), target: new Replies() };
  readonly #jumps = new Set<Jump>();
  #closing = false;

  /** @param ended called once, when both sides are closed or closing */
  constructor(
    recorder: SessionRecorder,
    client: Leg<"client">,
    target: Leg<"target">,
    deps: RelayDeps,
    ended: (reason: CloseReason, error: SallyportError | undefined) => void,
  ) {
    this.#recorder = recorder;
    this.#client = client;
    this.#target = target;
    this.#deps = deps;
    this.#ended = ended;
    this.#passage = new Passage(recorder, client, target, deps, (error) => this.fail(error));
    this.#traffic = new ChannelTraffic(this.#passage, this.#channels, deps.masks, deps.guarded);
  }

  start(): void {
    const failed = (error: unknown): void => this.fail(error);
    this.#client.start({ message: (bytes) => this.#fromClient(bytes), failed, ended: () => this.#clientEnded() });
    this.#target.start({ message: (bytes) => this.#fromTarget(bytes), failed, ended: () => this.#targetEnded() });
  }

  /** Ends the session for a reason that lies outside it; the client is told. */
  end(reason: CloseReason, error: SallyportError): void {
    this.#close(reason, error);
  }

  /** Adds an event to the recording; a session that cannot be recorded ends. */
  record(event: SessionEvent): void {
    if (this.#closing) return;
    try {
      void Promise.resolve(this.#recorder.event(event)).catch((error: unknown) => this.fail(error));
    } catch (error) {
      this.fail(error);
    }
  }

  /** Ends the session with whatever was thrown while it was served. */
  fail(thrown: unknown): void {
    const malformed = "a message of the SSH connection protocol is malformed";
    const error =
      thrown instanceof RangeError
        ? new SallyportError("protocol-violation", malformed, { cause: thrown })
        : asSallyportError(thrown, "internal", "the gateway failed");
    this.#close(REASONS[error.code] ?? "recording-failed", error);
  }

  #fromClient(bytes: Buffer): void {
    if (this.#closing) return;
    switch (bytes[0] as number) {
      case MESSAGE.globalRequest:
        return this.#clientsGlobal(bytes);
      case MESSAGE.requestSuccess:
      case MESSAGE.requestFailure:
        return answerOf("client", this.#owed.target, () => this.#passage.pass(bytes));
      case MESSAGE.channelOpen:
        return this.#clientOpens(bytes);
      default:
        return this.#traffic.take(bytes, "client");
    }
  }

  #fromTarget(bytes: Buffer): void {
    if (this.#closing) return;
    switch (bytes[0] as number) {
      case MESSAGE.globalRequest:
        return this.#targetsGlobal(bytes);
      case MESSAGE.requestSuccess:
      case MESSAGE.requestFailure:
        return answerOf("target", this.#owed.client, () => this.#passage.toClient.pass(bytes));
      case MESSAGE.channelOpen:
        return this.#targetOpens(bytes);
      default:
        return this.#traffic.take(bytes, "target");
    }
  }

  #clientsGlobal(bytes: Buffer): void {
    const fields = new MessageFields(bytes);
    const name = fields.text();
    const wantReply = fields.boolean();
    const go = (request: Buffer): void => {
      if (wantReply) this.#owed.client.passedOn();
      this.#passage.pass(request);
    };
    if (HARMLESS_GLOBALS.has(name)) return go(bytes);
    const request = Buffer.from(bytes);
    const refuse = (): void => {
      this.#passage.withhold(request);
      if (wantReply) this.#refuseGlobal("client");
    };
    const opens = LISTENING.get(name);
    if (opens === undefined) return refuse();
    const host = fields.text();
    const port = name === "tcpip-forward" ? fields.uint32() : 0;
    const granted = (): void => {
      this.#passage.expected.add(opens);
      go(request);
    };
    this.#ask({ kind: "listen", host, port }, granted, refuse);
  }

  /** Its host keys (OpenSSH's PROTOCOL, §2.5) are not the gateway's: the client must not learn them. */
  #targetsGlobal(bytes: Buffer): void {
    const fields = new MessageFields(bytes);
    const name = fields.text();
    const wantReply = fields.boolean();
    if (name === "keepalive@openssh.com") {
      if (wantReply) this.#owed.target.passedOn();
      this.#passage.toClient.pass(bytes);
    } else if (wantReply) this.#refuseGlobal("target");
  }

  #refuseGlobal(of: Side): void {
    const failure = message(MESSAGE.requestFailure);
    this.#owed[of].ours(() => (of === "client" ? this.#passage.toClient.pass(failure) : this.#passage.pass(failure)));
  }

  #clientOpens(bytes: Buffer): void {
    const fields = new MessageFields(bytes);
    const kind = fields.text();
    const senderAt = fields.at;
    const sender = fields.uint32();
    clampPacketSize(bytes, fields.at + 4);
    const [window, packet] = [fields.uint32(), fields.uint32()];
    const request = Buffer.from(bytes);
    const refuse = (why: string, reason: number = OPEN_FAILURE.prohibited): void => {
      this.#passage.withhold(request);
      this.#passage.say(MESSAGE.channelOpenFailure, sender, reason, why, "");
    };
    const go = (): void => {
      const channel = isOurs(sender) ? undefined : this.#channels.open("client", sender, kind);
      if (channel === undefined) return refuse("the session has too many channels", OPEN_FAILURE.resourceShortage);
      channel.room.window = window;
      channel.room.packet = packet;
      if (guarded) channel.given = new GivenRequests();
      this.#passage.pass(request, { sender: channel.shown, senderAt });
    };
    const guarded = kind === "session" && this.#deps.guarded !== undefined;
    if (guarded && packet < MIN_PACKET) return refuse(TINY_PACKETS);
    if (kind === "session") return go();
    if (kind !== "direct-tcpip" && kind !== "direct-streamlocal@openssh.com")
      return refuse("the gateway does not pass channels of this kind", OPEN_FAILURE.unknownType);
    const host = fields.text();
    const to = { host, port: kind === "direct-tcpip" ? fields.uint32() : 0 };
    const ours = this.#deps.ours(to);
    if (ours === undefined) return this.#ask({ kind: "forward", ...to }, go, refuse);
    if ("refused" in ours) return refuse(ours.refused);
    if (packet < MIN_PACKET) return refuse(TINY_PACKETS);
    const channel = isOurs(sender) ? undefined : this.#channels.open("client", sender, kind);
    if (channel === undefined) return refuse("the session has too many channels", OPEN_FAILURE.resourceShortage);
    channel.room.window = window;
    channel.room.packet = packet;
    this.#jump(channel, request, to, ours.connections);
  }

  /** Whether the client may go on there is for the session to say that begins there. */
  #jump(channel: Channel, request: Buffer, to: { host: string; port: number }, connections: readonly string[]): void {
    this.#passage.asked(request);
    const jump = new Jump(this.#passage, this.#channels, channel);
    const why = this.#deps.jump(jump.socket, connections);
    if (why === undefined) {
      channel.jump = jump;
      this.#jumps.add(jump);
      jump.socket.once("close", () => this.#jumps.delete(jump));
      this.#passage.record({ type: "jump", ...to, connections: [...connections] });
      return jump.start();
    }
    this.#channels.closed(channel, "client");
    this.#channels.closed(channel, "target");
    this.#passage.say(MESSAGE.channelOpenFailure, channel.client, OPEN_FAILURE.resourceShortage, why, "");
  }

  /** What is asked of no channel waits by itself: nobody can be told, and nothing has to wait behind it. */
  #ask(asked: Asked, go: () => void, refuse: (why: string) => void): void {
    const nothing = (): void => {};
    const refused = ({ text }: { readonly text: string }): void => refuse(text);
    this.#passage.decide({ asked, tell: nothing, go, refuse: refused, waits: nothing, waited: nothing });
  }

  #targetOpens(bytes: Buffer): void {
    const fields = new MessageFields(bytes);
    const kind = fields.text();
    const at = fields.at;
    const sender = fields.uint32();
    clampPacketSize(bytes, fields.at + 4);
    const channel = this.#passage.expected.has(kind) ? this.#channels.open("target", sender, kind) : undefined;
    if (channel === undefined) {
      const why = "the client has not asked for it";
      return this.#passage.pass(message(MESSAGE.channelOpenFailure, sender, OPEN_FAILURE.prohibited, why, ""));
    }
    bytes.writeUInt32BE(channel.shown, at);
    this.#passage.toClient.pass(bytes);
  }

  /** A client says that it goes; one that is killed only closes its socket. */
  #clientEnded(): void {
    const reason = this.#client.saidSo ? "client-closed" : "client-lost";
    void this.#passage.settled().then(() => this.#close(reason, undefined));
  }

  #targetEnded(): void {
    const [reason, why] = this.#target.saidSo
      ? (["target-closed", "the target has closed the connection"] as const)
      : (["target-lost", "the connection to the target was lost"] as const);
    try {
      this.#traffic.targetEnded();
    } catch (thrown) {
      return this.fail(thrown);
    }
    void this.#passage.toClient.settled().then(() => this.#close(reason, new SallyportError("target-lost", why)));
  }

  #close(reason: CloseReason, error: SallyportError | undefined): void {
    if (this.#closing) return;
    this.#closing = true;
    this.#passage.end();
    for (const jump of this.#jumps) jump.end();
    this.#client.end(error && (error.hint === undefined ? error.message : `${error.message}. ${error.hint}`));
    this.#target.end();
    this.#ended(reason, error);
  }
}
