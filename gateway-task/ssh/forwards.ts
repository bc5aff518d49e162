import { FLAG_WITHHELD } from "../../core/recording/frame.ts";
import type { SessionEvent } from "../../core/recording/events.ts";
import type { ForwardEvent } from "../../core/recording/ssh-events.ts";
import { FieldReader } from "../../core/ssh/field-reader.ts";
import type { PrefixedMessage } from "../../core/ssh/prefixed-reader.ts";
import { endpointOf, nameOf } from "./channel.ts";
import { MAX_PATH_BYTES } from "./tap.ts";

/** Global requests of the client's that wait for their answer. */
const MAX_AWAITED = 1_024;
const FORWARD_BYTES = 300;

type Forward = Pick<ForwardEvent, "type" | "host" | "port" | "path">;
interface Awaited {
  readonly forward: Forward | undefined;
  readonly refused: boolean;
}

const FORWARDS: Readonly<Record<string, ForwardEvent["type"]>> = {
  "tcpip-forward": "forward-listening",
  "streamlocal-forward": "forward-listening",
  "cancel-tcpip-forward": "forward-cancelled",
  "cancel-streamlocal-forward": "forward-cancelled",
};

/** Matches the client's global requests with their answers, which come in their order (RFC 4254 §4). */
export class Forwards {
  readonly #emit: (event: SessionEvent, micros: number) => void;
  #awaited: Awaited[] = [];
  #isLost = false;

  constructor(emit: (event: SessionEvent, micros: number) => void) {
    this.#emit = emit;
  }

  get held(): number {
    return FORWARD_BYTES * this.#awaited.length;
  }

  /** GLOBAL_REQUEST of the client's. */
  requested(message: PrefixedMessage): void {
    const fields = new FieldReader(message);
    fields.byte();
    const name = nameOf(fields);
    const wantsReply = fields.boolean();
    const type = Object.hasOwn(FORWARDS, name) ? FORWARDS[name] : undefined;
    const awaited = {
      forward: type && { type, ...placeOf(name, fields) },
      refused: (message.flags & FLAG_WITHHELD) !== 0,
    };
    if (!wantsReply || this.#isLost) this.#tell(awaited, "unknown", message.micros);
    else if (this.#awaited.length < MAX_AWAITED) this.#awaited.push(awaited);
    else this.#lose(awaited, message.micros);
  }

  /** REQUEST_SUCCESS or REQUEST_FAILURE of the target's. */
  answered(message: PrefixedMessage, success: boolean): void {
    const awaited = this.#awaited.shift();
    if (awaited === undefined) return;
    const { forward } = awaited;
    const fields = new FieldReader(message);
    fields.byte();
    // Asked to listen on port 0, the target says which one it chose (§7.1).
    const chosen = success && forward?.type === "forward-listening" && forward.port === 0 ? fields.uint32() : 0;
    const placed =
      chosen > 0 && forward !== undefined ? { ...awaited, forward: { ...forward, port: chosen } } : awaited;
    this.#tell(placed, success ? "done" : "failed", message.micros);
  }

  /** No answers will come. */
  finish(micros: number): void {
    for (const awaited of this.#awaited) this.#tell(awaited, "unknown", micros);
    this.#awaited = [];
  }

  #lose(awaited: Awaited, micros: number): void {
    this.#isLost = true;
    this.finish(micros);
    this.#tell(awaited, "unknown", micros);
    const message = "the client is too many requests ahead of the target: what became of forwards is no longer known";
    this.#emit({ type: "not-followed", message }, micros);
  }

  #tell({ forward, refused }: Awaited, outcome: ForwardEvent["outcome"], micros: number): void {
    if (forward !== undefined) this.#emit({ ...forward, outcome: refused ? "refused" : outcome }, micros);
  }
}

function placeOf(name: string, fields: FieldReader): Pick<Forward, "host" | "port" | "path"> {
  return name.includes("tcpip") ? endpointOf(fields) : { path: fields.string(MAX_PATH_BYTES).text };
}
