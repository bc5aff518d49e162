import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import pg from "pg";
import { from as copyFrom, to as copyTo } from "pg-copy-streams";
import QueryStream from "pg-query-stream";
import { afterAll, beforeAll, describe, test } from "vitest";
import {
  type Conversation,
  type EnforcedShop,
  type Heard,
  type Place,
  startEnforcedShop,
} from "../setup/enforcement.ts";
import { postgresServers } from "../setup/postgres.ts";
import { cancelRequest, connectWire } from "../setup/wire-client.ts";

/** How the driver can send a statement. */
const WAYS = {
  "simple queries": (text: string, values: readonly string[]): pg.QueryConfig => ({
    text: values.reduce((sql, value, n) => sql.replaceAll(`$${n + 1}`, pg.escapeLiteral(value)), text),
  }),
  "extended queries": (text: string, values: readonly string[]): pg.QueryConfig =>
    ({ text, values: [...values], queryMode: "extended" }) as pg.QueryConfig,
  "named statements": (text: string, values: readonly string[]): pg.QueryConfig => ({
    name: text.slice(0, 60),
    text,
    values: [...values],
  }),
};

/** What a conversation says, one answer each. */
interface Talk {
  readonly say: (text: string, ...values: string[]) => Promise<Heard>;
  readonly stream: (text: string) => Promise<Heard>;
  readonly copyIn: (sql: string, data: string) => Promise<Heard>;
  readonly copyOut: (sql: string) => Promise<Heard>;
}

const RAISE = "update salaries set amount = $1 where id = $2";
const COUNT = "select count(*) from kept";
const KEEP = "insert into kept values ($1, 'new')";

const SAYS: Record<string, (talk: Talk) => Promise<Heard[]>> = {
  alone: async ({ say }) => [await say("delete from salaries where id = 1 returning id"), await say(COUNT)],
  "again and again, with parameters, another between": async ({ say }) => {
    const answers = [];
    for (const n of ["1", "2", "3"]) answers.push(await say(RAISE, n, n), await say(KEEP, `1${n}`));
    return answers;
  },
  "in a transaction": async ({ say }) => [
    await say("begin"),
    await say(KEEP, "3"),
    await say("select amount from salaries order by id"),
    await say(COUNT),
    await say("rollback"),
    await say(COUNT),
  ],
  "after a savepoint": async ({ say }) => [
    await say("begin"),
    await say(KEEP, "3"),
    await say("savepoint before"),
    await say(RAISE, "1", "1"),
    await say("rollback to before"),
    await say(KEEP, "4"),
    await say("commit"),
  ],
  "among others, sent without waiting": async ({ say }) =>
    Promise.all([
      say(KEEP, "3"),
      say(RAISE, "1", "1"),
      say(KEEP, "4"),
      say("select * from salaries where id = $1", "2"),
      say(COUNT),
    ]),
  "in a transaction, sent without waiting": async ({ say }) =>
    Promise.all([
      say("begin"),
      say(KEEP, "3"),
      say("select id from salaries order by id"),
      say(KEEP, "4"),
      say("commit"),
      say(COUNT),
    ]),
};

/** What takes turns with the server, so that nothing may be sent behind it. */
const SAYS_IN_TURNS: typeof SAYS = {
  "one of several in a query": async ({ say }) => [
    await say("insert into kept values (3, 'c'); update salaries set amount = 0; insert into kept values (4, 'd')"),
    await say(COUNT),
  ],
  "a query stream, in a transaction": async ({ say, stream }) => [
    await say("begin"),
    await stream("select id, amount from salaries order by id"),
    await say("rollback"),
    await stream("select id from kept order by id"),
  ],
  COPY: async ({ copyIn, copyOut }) => [
    await copyIn("copy salaries from stdin", "4\t40\n5\t50\n"),
    await copyOut("copy (select id from salaries order by id) to stdout csv"),
    await copyOut("copy kept to stdout"),
    await copyIn("copy kept from stdin csv", "7,x\n"),
  ],
  "COPY after a savepoint": async ({ say, copyIn, copyOut }) => [
    await say("begin"),
    await say(KEEP, "3"),
    await say("savepoint before"),
    await copyIn("copy salaries (id) from stdin", "4\n"),
    await say("rollback to before"),
    await copyOut("copy salaries to stdout (format binary)"),
    await say("rollback to before"),
    await copyIn("copy kept from stdin csv", "7,x\n"),
    await say("commit"),
  ],
};

describe.each(postgresServers().slice(0, 1))("node-postgres, before PostgreSQL $version", (which) => {
  let enforced: EnforcedShop;
  beforeAll(async () => {
    enforced = await startEnforcedShop(which, [
      ...Object.entries(WAYS).flatMap(([way, how]) => [
        ...conversations(SAYS, way, how, false),
        ...conversations(SAYS, `${way} in a pipeline`, how, true).filter(() => way !== "simple queries"),
      ]),
      ...conversations(SAYS_IN_TURNS, "simple queries", WAYS["simple queries"], false),
    ]);
  });
  afterAll(() => enforced.stop());

  function conversations(
    says: typeof SAYS,
    way: string,
    how: (typeof WAYS)["simple queries"],
    pipelined: boolean,
  ): Conversation[] {
    return Object.entries(says).map(([what, talk]) => ({
      name: `${what}, by ${way}`,
      hold: async (place) => held(place, how, pipelined, talk),
    }));
  }

  async function held(
    { pass, schema, cancellable }: Place,
    how: (typeof WAYS)["simple queries"],
    pipelined: boolean,
    says: (talk: Talk) => Promise<Heard[]>,
  ): Promise<Heard[]> {
    const { shop } = enforced;
    const { host, port, database, properties } = shop.jdbcPast();
    const { user, password } = properties;
    const where =
      pass === undefined ? { host, port, database, user, password } : { ...(await shop.config()), password: pass };
    const client = new pg.Client({ ...where, pipeline: pipelined });
    client.on("error", () => {});
    await client.connect();
    cancellable(async () => cancel(shop.gateway.port, client));
    await client.query(`set search_path = ${schema}`);
    const answers = await says(talkOf(client, how));
    answers.push({ saw: client.getTransactionStatus(), notices: [] });
    await client.end();
    return answers;
  }

  test("a blocked statement leaves everything as the server's own refusal does, however it is sent", async () => {
    await enforced.expectLikeTheServer("blocked");
  });

  test("a held statement that is granted answers as if it had never waited, however it is sent", async () => {
    await enforced.expectLikeTheServer("granted");
  });

  test("a held statement that is denied leaves everything as the server's own refusal does, however it is sent", async () => {
    await enforced.expectLikeTheServer("denied");
  });

  test("a held statement that its client cancels leaves everything as the server's own refusal does, however it is sent", async () => {
    await enforced.expectLikeTheServer("cancelled");
  });
});

function talkOf(client: pg.Client, how: (typeof WAYS)["simple queries"]): Talk {
  let notices: string[] = [];
  client.on("notice", ({ message }) => notices.push(String(message)));
  const heard = async (act: () => Promise<unknown>): Promise<Heard> => {
    const answer = await act().then(
      (saw): Omit<Heard, "notices"> => ({ saw }),
      (thrown: unknown) => failed(thrown as pg.DatabaseError),
    );
    const own = notices;
    notices = [];
    return { ...answer, notices: own };
  };
  return {
    say: async (text, ...values) => heard(async () => resultsOf(await client.query(how(text, values)))),
    stream: async (text) => heard(async () => client.query(new QueryStream(text, [], { batchSize: 1 })).toArray()),
    copyIn: async (sql, data) =>
      heard(async () => {
        const copy = client.query(copyFrom(sql));
        await pipeline(Readable.from([data]), copy);
        return copy.rowCount;
      }),
    copyOut: async (sql) =>
      heard(async () => Buffer.concat(await client.query(copyTo(sql)).toArray()).toString("latin1")),
  };
}

function resultsOf(answer: pg.QueryResult | pg.QueryResult[]): unknown {
  return [answer].flat().map(({ command, rowCount, rows }) => ({ command, rowCount, rows: rows as unknown[] }));
}

function failed({ code, message, detail }: pg.DatabaseError): Omit<Heard, "notices"> {
  if (code !== "42501" && code !== "57014") return { saw: { code, message } };
  return { saw: undefined, refusal: { state: code, message, detail } };
}

async function cancel(port: number, client: pg.Client): Promise<void> {
  const { processID, secretKey } = client as unknown as { readonly processID: number; readonly secretKey: number };
  const secret = Buffer.alloc(4);
  secret.writeInt32BE(secretKey);
  const request = await connectWire({ port });
  request.send(cancelRequest(processID, secret));
  await request.rest();
}
