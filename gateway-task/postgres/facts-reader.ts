import { Worker } from "node:worker_threads";
import { SallyportError } from "../../core/errors.ts";
import type { StatementFacts } from "../../core/policy/facts.ts";
import { MAX_SQL_BYTES, SHORT_SQL_BYTES } from "../../core/policy/sql-parser.ts";

/** What the statements of one text do. The same object for the same text, as long as it is remembered. */
export type TextFacts = readonly StatementFacts[];

/** Comments within comments take the parser time by the square of their number: 42 ms for as many as a short text can hold. */
const MAX_COMMENTS = 100;
const COMMENT = "/*";

/** The longest text that is remembered. */
const MAX_KEY = 64 << 10;
/** Texts that are remembered, half of them at least, and their bytes. */
const MAX_REMEMBERED = 4_096;
const MAX_REMEMBERED_BYTES = 16 << 20;
/** What the facts of one statement weigh, and as much again. */
const FACTS_BYTES = 1_024;
/** A text that takes longer is not going to be understood. */
const THREAD_TIMEOUT_MS = 20_000;

/** What is judged where a text cannot be read: default policy denies it (invariant 6). */
export const UNREADABLE: TextFacts = [
  {
    parsed: false,
    actions: ["pg:unknown"],
    bounded: false,
    tables: [],
    written: [],
    functions: [],
    objects: [],
    predicates: [],
    settings: [],
    executes: undefined,
    prepares: undefined,
  },
];

export interface FactsReader {
  /**
   * The facts of a text as it stands in a message, without its NUL. At once, unless it is new and long. Throws or rejects
   * where the parser fails for a reason that does not lie in the text.
   */
  read(text: Buffer): TextFacts | Promise<TextFacts>;
  close(): void;
}

/** Facts of texts, remembered for all sessions of a process. */
export function newFactsReader(parse: (text: Buffer) => TextFacts): FactsReader {
  const remembered = newMemory();
  const thread = newThread();
  return {
    read(bytes) {
      if (bytes.length > MAX_KEY) return bytes.length > MAX_SQL_BYTES ? UNREADABLE : thread.parse(bytes);
      const key = bytes.toString("latin1");
      const known = remembered.get(key);
      if (known !== undefined) return known;
      const remember = (facts: TextFacts): TextFacts => {
        remembered.set(key, facts);
        return facts;
      };
      return isQuick(key) ? remember(parse(bytes)) : thread.parse(bytes).then(remember);
    },
    close: () => thread.close(),
  };
}

/** The parser takes 8 ms for 79 kB: nobody else is to wait for that. */
function isQuick(text: string): boolean {
  if (text.length > SHORT_SQL_BYTES) return false;
  let comments = 0;
  for (let at = text.indexOf(COMMENT); at >= 0; at = text.indexOf(COMMENT, at + COMMENT.length)) comments++;
  return comments <= MAX_COMMENTS;
}

interface Memory {
  get(key: string): TextFacts | undefined;
  set(key: string, facts: TextFacts): void;
}

/** Two generations in place of an order of use: what was used since the last change of generations stays. */
function newMemory(): Memory {
  let young = new Map<string, TextFacts>();
  let old = young;
  let bytes = 0;
  const set = (key: string, facts: TextFacts): void => {
    bytes += key.length + FACTS_BYTES * facts.length;
    young.set(key, facts);
    if (young.size < MAX_REMEMBERED / 2 && bytes < MAX_REMEMBERED_BYTES / 2) return;
    old = young;
    young = new Map();
    bytes = 0;
  };
  return {
    get(key) {
      const found = young.get(key);
      if (found !== undefined) return found;
      const earlier = old.get(key);
      if (earlier !== undefined) set(key, earlier);
      return earlier;
    },
    set,
  };
}

export interface Parsed {
  readonly id: number;
  readonly facts?: TextFacts;
  readonly failure?: string;
}

interface Waiting {
  readonly done: (facts: TextFacts) => void;
  readonly failed: (error: SallyportError) => void;
  readonly timer: NodeJS.Timeout;
}

interface Thread {
  parse(text: Buffer): Promise<TextFacts>;
  close(): void;
}

/** One thread for all long texts, started when the first one comes, and anew when it has died. */
function newThread(): Thread {
  let worker: Worker | undefined;
  let next = 0;
  const waiting = new Map<number, Waiting>();

  const giveUp = (why: string): void => {
    const given = worker;
    worker = undefined;
    for (const { failed, timer } of waiting.values()) {
      clearTimeout(timer);
      failed(new SallyportError("internal", `the statement could not be read: ${why}`));
    }
    waiting.clear();
    void given?.terminate();
  };
  const answered = ({ id, facts, failure }: Parsed): void => {
    const asked = waiting.get(id);
    if (asked === undefined) return;
    waiting.delete(id);
    clearTimeout(asked.timer);
    if (facts !== undefined) asked.done(facts);
    else asked.failed(new SallyportError("internal", `the statement could not be read: ${failure ?? ""}`));
  };
  const start = (): Worker => {
    const started = new Worker(new URL("facts-worker.ts", import.meta.url));
    const died = (why: string): void => {
      if (worker === started) giveUp(why);
    };
    started.on("message", answered);
    started.on("error", ({ message }: Error) => died(message));
    started.on("exit", () => died("its thread has ended"));
    started.unref();
    return started;
  };
  return {
    async parse(text) {
      worker ??= start();
      const id = next++;
      const facts = new Promise<TextFacts>((done, failed) => {
        const timer = setTimeout(() => giveUp("it takes too long"), THREAD_TIMEOUT_MS);
        waiting.set(id, { done, failed, timer });
      });
      worker.postMessage({ id, text });
      return facts;
    },
    close: () => giveUp("the gateway is being shut down"),
  };
}
