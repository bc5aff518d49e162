import { asSallyportError, SallyportError } from "../../core/errors.ts";
import type { CloseReason } from "../../core/ports/session-store.ts";
import type { SessionEvent } from "../../core/recording/events.ts";
import type { Asker, ConsentDeps } from "../consent.ts";
import type { Side } from "../recorder/permit.ts";
import type { SessionRecorder } from "../recorder/session-recorder.ts";
import { type Channel, Channels } from "./channels.ts";
import { Decider } from "./decider.ts";
import type { Asked, Gate } from "./gate.ts";
import { framedCopy, Lane } from "./lane.ts";
import type { Leg } from "./leg.ts";
import { FIRST_CONNECTION_MESSAGE, MESSAGE, message, MessageFields, OPEN_FAILURE } from "./messages.ts";
import { notice, type Refusal, refusedCommand } from "./refusal.ts";
import { Replies } from "./replies.ts";

/** What waits behind a decision in one channel: the window that OpenSSH's server gives, and a little. */
const MAX_BACKLOG = 4 << 20;
/** The largest packet that the library takes is a little longer; OpenSSH never asks for more. */
const MAX_PACKET = 32 << 10;
const CTRL_C = 3;
const NOTHING = Buffer.alloc(0);

/** Global requests that are passed on unjudged. */
const HARMLESS_GLOBALS: ReadonlySet<string> = new Set([
  "keepalive@openssh.com",
  "no-more-sessions@openssh.com",
  "cancel-tcpip-forward",
  "cancel-streamlocal-forward@openssh.com",
]);
/** Requests of a channel that are. They set the stage for what is judged, or follow it. */
const HARMLESS_REQUESTS: ReadonlySet<string> = new Set([
  "pty-req",
  "env",
  "window-change",
  "xon-xoff",
  "signal",
  "break",
  "eow@openssh.com",
  "keepalive@openssh.com",
]);

/** What a session's end is called in the index, by the error that ended it. */
const REASONS: Partial<Record<SallyportError["code"], CloseReason>> = {
  "access-denied": "refused",
  "protocol-violation": "protocol-violation",
  "limit-exceeded": "limit-exceeded",
  "target-lost": "target-lost",
  "shutting-down": "shutting-down",
};

/** A message of ours behind its length. */
const framed = (...parts: Parameters<typeof message>): Buffer => framedCopy(message(...parts));

/** Where a forward leads. */
interface Peer {
  readonly host: string;
  readonly port: number;
}

/** What a relay needs to judge. */
export interface RelayDeps extends ConsentDeps {
  readonly gate: Gate;
  readonly asker: Asker;
  /** Why a forward to there is refused whatever the policies say, if it is. */
  readonly refusesForward: (to: Peer) => string | undefined;
}

/**
 * The life of an SSH session after its log-ins: every message of the connection protocol (RFC 4254) is recorded and only then,
 * with the recorder's permit, passed on, with its channel numbers and windows as they are. What policy decides on waits in its
 * channel alone. It ends once, on one path, and says why.
 */
export class Relay {
  readonly #recorder: SessionRecorder;
  readonly #client: Leg<"client">;
  readonly #target: Leg<"target">;
  readonly #toClient: Lane<"client">;
  readonly #toTarget: Lane<"target">;
  readonly #channels = new Channels();
  readonly #deps: RelayDeps;
  readonly #decider: Decider;
  readonly #ended: (reason: CloseReason, error: SallyportError | undefined) => void;
  /** Answers that are owed to the client, and to the target. */
  readonly #owedToClient = new Replies();
  readonly #owedToTarget = new Replies();
  /** What the client may be asked for by the target, because policy let it ask for that. */
  readonly #expected = new Set<string>();
  #closing = false;

  constructor(
    recorder: SessionRecorder,
    client: Leg<"client">,
    target: Leg<"target">,
    deps: RelayDeps,
    ended: (reason: CloseReason, error: SallyportError | undefined) => void,
  ) {
    const failed = (error: unknown): void => this.fail(error);
    this.#recorder = recorder;
    this.#client = client;
    this.#target = target;
    this.#deps = deps;
    this.#ended = ended;
    this.#toClient = new Lane((bytes, kept) => recorder.output(bytes, kept), client, target, failed);
    this.#toTarget = new Lane((bytes, kept) => recorder.input(bytes, kept), target, client, failed);
    this.#decider = new Decider(deps, (event) => recorder.event(event));
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
    const malformed = thrown instanceof RangeError;
    const error = malformed
      ? new SallyportError("protocol-violation", "a message of the SSH connection protocol is malformed", { cause: thrown })
      : asSallyportError(thrown, "internal", "the gateway failed");
    this.#close(REASONS[error.code] ?? "recording-failed", error);
  }

  #fromClient(bytes: Buffer): void {
    if (this.#closing) return;
    switch (bytes[0]) {
      case MESSAGE.globalRequest:
        return this.#clientsGlobal(bytes);
      case MESSAGE.requestSuccess:
      case MESSAGE.requestFailure:
        return answerOf("client", this.#owedToTarget, () => this.#toTarget.pass(bytes));
      case MESSAGE.channelOpen:
        return this.#clientOpens(bytes);
      default:
        return this.#ofChannel(bytes, "client");
    }
  }

  #fromTarget(bytes: Buffer): void {
    if (this.#closing) return;
    switch (bytes[0]) {
      case MESSAGE.globalRequest:
        return this.#targetsGlobal(bytes);
      case MESSAGE.requestSuccess:
      case MESSAGE.requestFailure:
        return answerOf("target", this.#owedToClient, () => this.#toClient.pass(bytes));
      case MESSAGE.channelOpen:
        return this.#targetOpens(bytes);
      default:
        return this.#ofChannel(bytes, "target");
    }
  }

  #clientsGlobal(bytes: Buffer): void {
    const fields = new MessageFields(bytes);
    const name = fields.text();
    const wantReply = fields.boolean();
    const pass = (kept: Buffer): void => {
      if (wantReply) this.#owedToClient.passedOn();
      this.#toTarget.pass(kept);
    };
    if (HARMLESS_GLOBALS.has(name)) return pass(bytes);
    const refuse = (kept: Buffer): void => {
      this.#withhold(kept);
      if (wantReply) this.#owedToClient.ours(() => this.#toClient.pass(message(MESSAGE.requestFailure)));
    };
    const listens = name === "tcpip-forward" || name === "streamlocal-forward@openssh.com";
    if (!listens) return refuse(bytes);
    const host = fields.text();
    const port = name === "tcpip-forward" ? fields.uint32() : 0;
    this.#decide({ kind: "listen", host, port }, bytes, undefined, pass, refuse, () => {
      this.#expected.add(name === "tcpip-forward" ? "forwarded-tcpip" : "forwarded-streamlocal@openssh.com");
    });
  }

  /** Its host keys are not the gateway's, and nothing of it is to be learned by the client (§ Host key rotation, PROTOCOL of OpenSSH). */
  #targetsGlobal(bytes: Buffer): void {
    const fields = new MessageFields(bytes);
    const name = fields.text();
    const wantReply = fields.boolean();
    if (name === "keepalive@openssh.com") {
      if (wantReply) this.#owedToTarget.passedOn();
      this.#toClient.pass(bytes);
    } else if (wantReply) this.#owedToTarget.ours(() => this.#toTarget.pass(message(MESSAGE.requestFailure)));
  }

  #clientOpens(bytes: Buffer): void {
    const fields = new MessageFields(bytes);
    const kind = fields.text();
    const sender = fields.uint32();
    clampPacket(bytes, fields.at + 4);
    const refuse = (kept: Buffer, why = "refused", reason: number = OPEN_FAILURE.prohibited): void => {
      this.#withhold(kept);
      this.#toClient.pass(message(MESSAGE.channelOpenFailure, sender, reason, why, ""));
    };
    const pass = (kept: Buffer): void => {
      const channel = this.#channels.open("client", sender, kind);
      if (channel === undefined) return refuse(kept, "too many channels", OPEN_FAILURE.resourceShortage);
      this.#toTarget.pass(kept);
    };
    if (kind === "session") return pass(bytes);
    const forwards = kind === "direct-tcpip" || kind === "direct-streamlocal@openssh.com";
    if (!forwards) return refuse(bytes, "the gateway does not pass such channels", OPEN_FAILURE.unknownType);
    fields.uint32();
    fields.uint32();
    const to = { host: fields.text(), port: kind === "direct-tcpip" ? fields.uint32() : 0 };
    const own = this.#deps.refusesForward(to);
    if (own !== undefined) return refuse(bytes, own);
    this.#decide({ kind: "forward", ...to }, bytes, undefined, pass, (kept, { text }) => refuse(kept, text));
  }

  #targetOpens(bytes: Buffer): void {
    const fields = new MessageFields(bytes);
    const kind = fields.text();
    const sender = fields.uint32();
    clampPacket(bytes, fields.at + 4);
    const channel = this.#expected.has(kind) ? this.#channels.open("target", sender, kind) : undefined;
    if (channel !== undefined) return this.#toClient.pass(bytes);
    const why = "the client has not asked for it";
    this.#toTarget.pass(message(MESSAGE.channelOpenFailure, sender, OPEN_FAILURE.prohibited, why, ""));
  }

  #ofChannel(bytes: Buffer, from: Side): void {
    const type = bytes[0] as number;
    if (type < FIRST_CONNECTION_MESSAGE || type > MESSAGE.channelFailure)
      throw new SallyportError("protocol-violation", `the ${from} sent a message that the gateway does not know (${type})`);
    const to = from === "client" ? "target" : "client";
    const channel = this.#channels.named(to, bytes.readUInt32BE(1));
    if (channel === undefined) return; // it was closed by both
    if (from === "target") return this.#targetSays(channel, type, bytes);
    if (channel.refused) return this.#swallow(channel, type, from);
    if (channel.backlog !== undefined) return this.#keep(channel, bytes);
    this.#clientSays(channel, type, bytes);
  }

  #clientSays(channel: Channel, type: number, bytes: Buffer): void {
    switch (type) {
      case MESSAGE.channelOpenConfirmation:
        this.#confirm(channel, bytes);
        break;
      case MESSAGE.channelOpenFailure:
        this.#channels.closed(channel, "client");
        this.#channels.closed(channel, "target");
        break;
      case MESSAGE.channelWindowAdjust:
        return this.#adjust(channel, bytes);
      case MESSAGE.channelRequest:
        return this.#request(channel, bytes);
      case MESSAGE.channelClose:
        this.#channels.closed(channel, "client");
        break;
    }
    this.#toTarget.pass(bytes);
  }

  #targetSays(channel: Channel, type: number, bytes: Buffer): void {
    if (channel.refused && type === MESSAGE.channelClose) channel.replies.abandon();
    if (channel.silenced) return this.#swallow(channel, type, "target");
    switch (type) {
      case MESSAGE.channelOpenConfirmation:
        this.#confirm(channel, bytes);
        break;
      case MESSAGE.channelOpenFailure:
        this.#channels.closed(channel, "client");
        this.#channels.closed(channel, "target");
        break;
      case MESSAGE.channelClose:
        this.#channels.closed(channel, "target");
        break;
    }
    const answers = type === MESSAGE.channelSuccess || type === MESSAGE.channelFailure;
    if (answers) answerOf("target", channel.replies, () => this.#toClient.pass(bytes));
    else this.#toClient.pass(bytes);
  }

  #confirm(channel: Channel, bytes: Buffer): void {
    clampPacket(bytes, 13);
    if (!this.#channels.confirm(channel, bytes.readUInt32BE(5)))
      throw new SallyportError("protocol-violation", "a channel's number is in use");
  }

  /** The target must not send what the client's window no longer has room for, because of texts of ours. */
  #adjust(channel: Channel, bytes: Buffer): void {
    const granted = bytes.readUInt32BE(5);
    const kept = Math.min(channel.debt, granted);
    channel.debt -= kept;
    if (kept === 0) this.#toTarget.pass(bytes);
    else if (kept < granted) this.#toTarget.pass(message(MESSAGE.channelWindowAdjust, channel.target, granted - kept));
  }

  #request(channel: Channel, bytes: Buffer): void {
    const fields = new MessageFields(bytes, 5);
    const name = fields.text();
    const wantReply = fields.boolean();
    const pass = (kept: Buffer): void => {
      if (wantReply) channel.replies.passedOn();
      this.#toTarget.pass(kept);
    };
    if (HARMLESS_REQUESTS.has(name)) {
      if (name === "pty-req") channel.terminal = true;
      return pass(bytes);
    }
    const asked = askedBy(name, fields);
    if (asked === undefined || asked.kind === "agent" || asked.kind === "x11") {
      const refuse = (kept: Buffer): void => {
        this.#withhold(kept);
        const failure = (): void => this.#toClient.pass(message(MESSAGE.channelFailure, channel.client));
        if (wantReply) channel.replies.ours(failure);
      };
      if (asked === undefined) return refuse(bytes);
      const opens = asked.kind === "agent" ? "auth-agent@openssh.com" : "x11";
      return this.#decide(asked, bytes, channel, pass, refuse, () => this.#expected.add(opens));
    }
    this.#decide(asked, bytes, channel, pass, (kept, refusal) => this.#refuse(channel, kept, wantReply, refusal));
  }

  /** Judges what was asked; where that takes consent, its channel waits, if it has one. */
  #decide(
    asked: Asked,
    bytes: Buffer,
    channel: Channel | undefined,
    pass: (bytes: Buffer) => void,
    refuse: (bytes: Buffer, refusal: Refusal) => void,
    granted: () => void = () => {},
  ): void {
    const go = (kept: Buffer): void => {
      granted();
      pass(kept);
    };
    const decision = this.#decider.decide(asked, (text) => this.#tell(channel, text));
    if (decision === "granted") return go(bytes);
    if (!("pending" in decision)) return refuse(bytes, decision);
    const kept = Buffer.from(bytes);
    if (channel !== undefined) {
      channel.backlog = { messages: [], bytes: 0 };
      channel.giveUp = decision.giveUp;
    }
    decision.pending.then(
      (refusal) => {
        if (this.#closing) return;
        if (refusal === undefined) go(kept);
        else refuse(kept, refusal);
        if (channel !== undefined) this.#release(channel);
      },
      (error: unknown) => this.fail(error),
    );
  }

  /** A message of a channel of which something waits. */
  #keep(channel: Channel, bytes: Buffer): void {
    const { backlog } = channel;
    if (backlog === undefined) return;
    const type = bytes[0];
    const interrupts = type === MESSAGE.channelData && channel.terminal && bytes.includes(CTRL_C, 9);
    if (interrupts || type === MESSAGE.channelClose) channel.giveUp?.();
    backlog.messages.push(Buffer.from(bytes));
    backlog.bytes += bytes.length;
    if (backlog.bytes > MAX_BACKLOG)
      throw new SallyportError("limit-exceeded", "the client sent too much behind a command that is held");
  }

  /** Goes on with what waited, up to where something of it waits again. */
  #release(channel: Channel): void {
    const messages = channel.backlog?.messages ?? [];
    channel.backlog = channel.giveUp = undefined;
    for (let next = messages.shift(); next !== undefined; next = messages.shift()) {
      if (channel.backlog !== undefined) this.#keep(channel, next);
      else if (channel.refused) this.#swallow(channel, next[0] as number, "client");
      else this.#clientSays(channel, next[0] as number, next);
    }
  }

  /** In place of a command: why not, on the client's standard error, and the status of what could not be run. */
  #refuse(channel: Channel, bytes: Buffer, wantReply: boolean, refusal: Refusal): void {
    this.#withhold(bytes, framed(MESSAGE.channelClose, channel.target));
    channel.refused = true;
    channel.replies.ours(() => {
      const { client, terminal } = channel;
      for (const answer of refusedCommand(client, { wantReply, terminal }, refusal)) this.#toClient.pass(answer);
      this.#channels.silence(channel);
    });
  }

  /** What is said of a channel that was refused goes nowhere; it is forgotten when both sides have closed it. */
  #swallow(channel: Channel, type: number, from: Side): void {
    if (type === MESSAGE.channelClose) this.#channels.closed(channel, from);
  }

  /** Records what the target must not see. */
  #withhold(bytes: Buffer, instead: Buffer = NOTHING): void {
    const asked = framedCopy(bytes);
    this.#toTarget.by(() => this.#recorder.withheld(asked, instead));
  }

  /** Tells the person at a channel something; where there is none, nobody can be told. */
  #tell(channel: Channel | undefined, text: string): void {
    if (channel === undefined || this.#closing) return;
    const told = notice(channel.client, channel.terminal, text);
    channel.debt += told.bytes;
    this.#toClient.pass(told.message);
  }

  /** A client says that it goes; one that is killed only closes its socket. */
  #clientEnded(): void {
    const reason = this.#client.saidSo ? "client-closed" : "client-lost";
    void this.#toTarget.settled().then(() => this.#close(reason, undefined));
  }

  #targetEnded(): void {
    const [reason, why] = this.#target.saidSo
      ? (["target-closed", "the target has closed the connection"] as const)
      : (["target-lost", "the connection to the target was lost"] as const);
    void this.#toClient.settled().then(() => this.#close(reason, new SallyportError("target-lost", why)));
  }

  #close(reason: CloseReason, error: SallyportError | undefined): void {
    if (this.#closing) return;
    this.#closing = true;
    this.#decider.end();
    this.#client.end(error && (error.hint === undefined ? error.message : `${error.message}. ${error.hint}`));
    this.#target.end();
    this.#ended(reason, error);
  }
}

/** What a request of a session's channel asks that is to be judged; undefined for one that the gateway does not know. */
function askedBy(name: string, fields: MessageFields): Asked | undefined {
  switch (name) {
    case "shell":
      return { kind: "shell" };
    case "exec":
      return { kind: "command", command: Buffer.from(fields.bytes()) };
    case "subsystem":
      return { kind: "subsystem", name: fields.text() };
    case "auth-agent-req@openssh.com":
      return { kind: "agent" };
    case "x11-req":
      return { kind: "x11" };
    default:
      return undefined;
  }
}

/** Passes an answer on, and behind it those of ours that waited for it. */
function answerOf(side: Side, replies: Replies, pass: () => void): void {
  if (!replies.areOwed) throw new SallyportError("protocol-violation", `the ${side} answered what nobody asked`);
  pass();
  replies.answered();
}

function clampPacket(bytes: Buffer, at: number): void {
  if (bytes.readUInt32BE(at) > MAX_PACKET) bytes.writeUInt32BE(MAX_PACKET, at);
}
