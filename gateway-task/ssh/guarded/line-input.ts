/** Of one line, continued ones together: as much as is judged of a command. */
export const MAX_LINE_BYTES = 64 << 10;

export type Entered =
  | { readonly kind: "line"; readonly line: Buffer }
  /** It cannot be run, and why. */
  | { readonly kind: "unfit"; readonly why: string }
  /** There are no more lines. */
  | { readonly kind: "end" };

/** What came of bytes of the client's. */
export interface Taken {
  /** So many of them; what is behind a line is for the next. */
  readonly bytes: number;
  readonly entered: Entered | undefined;
  /** What the terminal is to show. */
  readonly shown: string;
}

/** Where the lines of a guarded shell come from: a person at a terminal, or a script. */
export interface LineInput {
  /** Asks for a line; answers what the terminal is to show. @param place where the next line would run */
  ask(place: string): string;
  take(bytes: Buffer): Taken;
  /** The client sends nothing more. */
  finish(): Entered;
  /** The terminal has so many columns now. */
  resize(columns: number): string;
}

export const TOO_LONG: Entered = {
  kind: "unfit",
  why: `a line has more than ${MAX_LINE_BYTES >> 10} KiB: it was not run`,
};
