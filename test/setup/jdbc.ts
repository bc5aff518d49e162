import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { z } from "zod";
import { JDBC_JAR } from "./jdbc/jar.js";

const PROGRAM = fileURLToPath(new URL("jdbc/Jdbc.java", import.meta.url));

const warnings = z.array(z.object({ state: z.string(), message: z.string() }));
const result = z.union([
  z.object({ columns: z.array(z.string()), rows: z.array(z.array(z.string().nullable())) }),
  z.object({ count: z.number() }),
]);
const failure = z.object({
  state: z.string().nullable(),
  message: z.string().nullable(),
  severity: z.string().nullable(),
  detail: z.string().nullable(),
  hint: z.string().nullable(),
  /** Of a batch, what became of each: -3 for what failed. */
  counts: z.array(z.number()).optional(),
});
const answer = z.object({
  id: z.number(),
  results: z.array(result).default([]),
  warnings: warnings.default([]),
  /** Of a batch. */
  counts: z.array(z.number()).optional(),
  /** Of a COPY: rows. */
  count: z.number().optional(),
  data: z.base64().optional(),
  error: failure.optional(),
  /** The program's own mistake. */
  broken: z.string().optional(),
  /** As the driver knows it after the step. */
  transaction: z.enum(["IDLE", "OPEN", "FAILED", "CLOSED"]).optional(),
});

export type JdbcAnswer = z.output<typeof answer>;
type Step = Readonly<Record<string, unknown>>;

export interface RunStep {
  /** Binds these; without, even without any, it is a plain Statement. */
  readonly parameters?: readonly (string | number | boolean | null)[];
  readonly fetchSize?: number;
  readonly timeoutSeconds?: number;
  /** Reads so many rows of each result, and leaves the rest. */
  readonly take?: number;
}

/** A connection of the JDBC driver. What fails is in the answer's `error`; the driver's own view of the transaction is beside it. */
export interface Jdbc {
  run(sql: string, step?: RunStep): Promise<JdbcAnswer>;
  /** One prepared statement with many rows of parameters, sent without waiting between them. */
  batch(sql: string, rows: readonly (readonly (string | number | null)[])[]): Promise<JdbcAnswer>;
  /** Several statements, sent likewise. */
  batchOf(...sqls: readonly string[]): Promise<JdbcAnswer>;
  copyIn(sql: string, data: Buffer): Promise<JdbcAnswer>;
  copyOut(sql: string): Promise<JdbcAnswer & { readonly bytes: Buffer }>;
  autoCommit(value: boolean): Promise<JdbcAnswer>;
  commit(): Promise<JdbcAnswer>;
  rollback(): Promise<JdbcAnswer>;
  savepoint(name: string): Promise<JdbcAnswer>;
  rollbackTo(name: string): Promise<JdbcAnswer>;
  /** Cancels the statement that runs. */
  cancel(): Promise<JdbcAnswer>;
  /** What the statement that runs has been warned of so far. */
  warned(): Promise<readonly string[]>;
  close(): Promise<void>;
}

export interface JdbcPlace {
  readonly host: string;
  readonly port: number;
  readonly database: string;
  /** The driver's own names: user, password, sslmode, preferQueryMode, prepareThreshold and so on. */
  readonly properties: Readonly<Record<string, string>>;
}

export interface JdbcDriver {
  /** Throws what the driver throws. */
  connect(place: JdbcPlace): Promise<Jdbc>;
  /** As it is; the answer tells what the server said. */
  attempt(place: JdbcPlace): Promise<JdbcAnswer>;
  stop(): Promise<void>;
}

/** PostgreSQL's JDBC driver in a process of its own, with as many connections as are wanted. */
export function startJdbc(): JdbcDriver {
  const child = spawn("java", ["-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-cp", JDBC_JAR, PROGRAM], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  const ended = once(child, "close");
  const waiting = new Map<number, (line: unknown) => void>();
  createInterface({ input: child.stdout }).on("line", (line) => {
    const told = JSON.parse(line) as { readonly id: number };
    waiting.get(told.id)?.(told);
    waiting.delete(told.id);
  });
  const gone = ended.then(([status]) => {
    throw new Error(`the JDBC program ended with ${String(status)}`);
  });
  gone.catch(() => {}); // whoever asks after its end is told
  let asked = 0;
  const ask = async (step: Step): Promise<JdbcAnswer> => {
    const id = ++asked;
    const answered = new Promise((resolve) => waiting.set(id, resolve));
    child.stdin.write(`${JSON.stringify({ id, ...step })}\n`);
    const told = answer.parse(await Promise.race([answered, gone]));
    if (told.broken !== undefined) throw new Error(`the JDBC program: ${told.broken}`);
    return told;
  };
  let connections = 0;
  const open = async ({ host, port, database, properties }: JdbcPlace) => {
    const on = `connection ${++connections}`;
    const url = `jdbc:postgresql://${host}:${port}/${database}`;
    return { on, told: await ask({ on, do: "connect", url, properties }) };
  };
  return {
    attempt: async (place) => (await open(place)).told,
    async connect(place) {
      const { on, told } = await open(place);
      if (told.error) throw new Error(`JDBC does not connect: ${told.error.state} ${told.error.message}`);
      return connection(async (step) => ask({ on, ...step }));
    },
    async stop() {
      child.kill("SIGKILL"); // also where it waits for a server
      await ended;
    },
  };
}

function connection(ask: (step: Step) => Promise<JdbcAnswer>): Jdbc {
  return {
    run: async (sql, step = {}) => ask({ do: "run", sql, ...step }),
    batch: async (sql, rows) => ask({ do: "batch", sql, rows }),
    batchOf: async (...sqls) => ask({ do: "batch", rows: sqls }),
    copyIn: async (sql, data) => ask({ do: "copyIn", sql, data: data.toString("base64") }),
    async copyOut(sql) {
      const told = await ask({ do: "copyOut", sql });
      return { ...told, bytes: Buffer.from(told.data ?? "", "base64") };
    },
    autoCommit: async (value) => ask({ do: "autoCommit", value }),
    commit: async () => ask({ do: "commit" }),
    rollback: async () => ask({ do: "rollback" }),
    savepoint: async (sql) => ask({ do: "savepoint", sql }),
    rollbackTo: async (sql) => ask({ do: "rollbackTo", sql }),
    cancel: async () => ask({ do: "cancel" }),
    warned: async () => (await ask({ do: "warnings" })).warnings.map(({ message }) => message),
    close: async () => void (await ask({ do: "close" })),
  };
}
