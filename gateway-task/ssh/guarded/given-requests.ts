import { message, MessageFields } from "../messages.ts";
import { isKept } from "./kept-state.ts";
import type { Given } from "./line-channel.ts";

/** What OpenSSH's client sends is a few; what is more is not given to lines. */
const MAX_VARIABLES = 64;
const MAX_VARIABLE_BYTES = 4 << 10;
/** Of a pty-req: its modes are a few hundred bytes. */
const MAX_TERMINAL_BYTES = 8 << 10;

interface ClientTerminal {
  readonly term: string;
  columns: number;
  rows: number;
  pixels: readonly [number, number];
  /** RFC 4254 §8. */
  readonly modes: Buffer;
}

/** What a client asks for its channel before its shell, and each line's channel gets as well: variables, and the terminal. */
export class GivenRequests {
  readonly #variables: Given[] = [];
  #terminal: ClientTerminal | undefined;

  get terminal(): Pick<ClientTerminal, "term" | "columns"> | undefined {
    return this.#terminal;
  }

  /** Takes a request of the client's; `fields` are those behind whether it wants a reply. */
  take(name: string, fields: Buffer): void {
    if (name === "env" && this.#variables.length < MAX_VARIABLES && fields.length <= MAX_VARIABLE_BYTES) {
      const read = new MessageFields(fields, 0);
      if (isKept(read.text(), read.bytes())) this.#variables.push({ name, fields: Buffer.from(fields) });
    } else if (name === "window-change" && this.#terminal !== undefined) this.#resize(fields);
    else if (name === "pty-req" && fields.length <= MAX_TERMINAL_BYTES) {
      const read = new MessageFields(fields, 0);
      const [term, columns, rows] = [read.text(), read.uint32(), read.uint32()];
      const pixels = [read.uint32(), read.uint32()] as const;
      this.#terminal = { term, columns, rows, pixels, modes: Buffer.from(read.bytes()) };
    }
  }

  forLine(): Given[] {
    return this.#terminal === undefined ? this.#variables : [...this.#variables, ptyRequest(this.#terminal)];
  }

  /** The terminal's size has changed (RFC 4254 §6.7). */
  #resize(fields: Buffer): void {
    if (this.#terminal === undefined) return;
    const read = new MessageFields(fields, 0);
    this.#terminal.columns = read.uint32();
    this.#terminal.rows = read.uint32();
    this.#terminal.pixels = [read.uint32(), read.uint32()];
  }
}

function ptyRequest({ term, columns, rows, pixels, modes }: ClientTerminal): Given {
  // Its type stands for the number of a message.
  const fields = message(0, term, columns, rows, ...pixels, modes).subarray(1);
  return { name: "pty-req", fields };
}
