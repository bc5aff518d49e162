import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  type Conversation,
  type EnforcedShop,
  type Heard,
  type Place,
  startEnforcedShop,
} from "../setup/enforcement.ts";
import { type Jdbc, type JdbcAnswer, type JdbcDriver, startJdbc } from "../setup/jdbc.ts";
import { postgresServers } from "../setup/postgres.ts";

const WAYS = {
  "simple queries": { preferQueryMode: "simple" },
  "extended queries": { prepareThreshold: "0" },
  "statements prepared at the second execution": { prepareThreshold: "2" },
  "binary values": { prepareThreshold: "-1" },
  "a savepoint before every statement": { autosave: "always" },
};

const RAISE = "update salaries set amount = ? where id = ?";
const count = async (db: Jdbc): Promise<JdbcAnswer> => db.run("select count(*) from kept");
const keep = async (db: Jdbc, id: number): Promise<JdbcAnswer> =>
  db.run("insert into kept values (?, 'new')", { parameters: [id] });

const SAYS: Record<string, (db: Jdbc) => Promise<JdbcAnswer[]>> = {
  alone: async (db) => [
    await db.run("update salaries set amount = amount + 1"),
    await db.run("with gone as (delete from salaries where id = 1 returning id) select id from gone", {
      parameters: [],
    }),
    await count(db),
  ],
  "again and again, with parameters, another between": async (db) => {
    const answers = [];
    for (let n = 1; n <= 4; n++) answers.push(await db.run(RAISE, { parameters: [n, n] }), await keep(db, 10 + n));
    return answers;
  },
  "in a transaction": async (db) => [
    await db.autoCommit(false),
    await keep(db, 3),
    await db.run("select amount from salaries order by id", { parameters: [] }),
    await count(db),
    await db.rollback(),
    await count(db),
    await db.commit(),
  ],
  "after a savepoint": async (db) => [
    await db.autoCommit(false),
    await keep(db, 3),
    await db.savepoint("before"),
    await db.run(RAISE, { parameters: [1, 1] }),
    await db.rollbackTo("before"),
    await keep(db, 4),
    await db.commit(),
  ],
  "one of several in a query": async (db) => [
    await db.run("insert into kept values (3, 'c'); update salaries set amount = 0; insert into kept values (4, 'd')"),
    await count(db),
  ],
  "one of several in a batch": async (db) => [
    await db.batchOf(
      "insert into kept values (3, 'c')",
      "update salaries set amount = 0",
      "insert into kept values (4, 'd')",
    ),
    await count(db),
  ],
  "one of several in a batch in a transaction": async (db) => [
    await db.autoCommit(false),
    await keep(db, 5),
    await db.batchOf(
      "insert into kept values (3, 'c')",
      "update salaries set amount = 0",
      "insert into kept values (4, 'd')",
    ),
    await count(db),
    await db.rollback(),
    await count(db),
    await db.commit(),
  ],
  "a batch of parameters": async (db) => [
    await db.batch(RAISE, [
      [11, 1],
      [12, 2],
      [13, 3],
    ]),
    await count(db),
  ],
  "a cursor": async (db) => [
    await db.autoCommit(false),
    await db.run("select id, amount from salaries order by id", { parameters: [], fetchSize: 1 }),
    await db.commit(),
    await count(db),
    await db.commit(),
  ],
  COPY: async (db) => [
    await db.copyIn("copy salaries from stdin", Buffer.from("4\t40\n5\t50\n")),
    await db.copyOut("copy (select id from salaries order by id) to stdout csv"),
    await db.copyOut("copy kept to stdout"),
    await db.copyIn("copy kept from stdin csv", Buffer.from("7,x\n")),
  ],
  "COPY after a savepoint": async (db) => [
    await db.autoCommit(false),
    await keep(db, 3),
    await db.savepoint("before"),
    await db.copyIn("copy salaries (id) from stdin", Buffer.from("4\n")),
    await db.rollbackTo("before"),
    await db.copyOut("copy salaries to stdout (format binary)"),
    await db.rollbackTo("before"),
    await db.copyIn("copy kept from stdin csv", Buffer.from("7,x\n")),
    await db.commit(),
  ],
};

function heard({ warnings, error, ...answer }: JdbcAnswer): Heard {
  const saw = { ...answer, id: undefined };
  const notices = warnings.map(({ message }) => message);
  if (error?.state !== "42501" && error?.state !== "57014") return { saw: { ...saw, error }, notices };
  const { state, message, detail, counts } = error;
  return { saw: { ...saw, counts }, notices, refusal: { state, message: message ?? "", detail: detail ?? undefined } };
}

describe.each(postgresServers().slice(0, 1))("JDBC, before PostgreSQL $version", (which) => {
  let driver: JdbcDriver;
  let enforced: EnforcedShop;
  beforeAll(async () => {
    driver = startJdbc();
    const conversations = Object.entries(WAYS).flatMap(([way, properties]) =>
      Object.entries(SAYS).map(([what, says]): Conversation => ({
        name: `${what}, by ${way}`,
        cancelsOnce: what === "a batch of parameters" && way === "simple queries",
        hold: async (place) => talk(place, properties, says),
      })),
    );
    enforced = await startEnforcedShop(which, conversations);
  });
  afterAll(async () => {
    await driver.stop();
    await enforced.stop();
  });

  async function talk(
    { pass, schema, cancellable }: Place,
    properties: Readonly<Record<string, string>>,
    says: (db: Jdbc) => Promise<JdbcAnswer[]>,
  ): Promise<Heard[]> {
    const { shop } = enforced;
    const where =
      pass === undefined ? shop.jdbcPast(properties) : await shop.jdbcThrough({ ...properties, password: pass });
    const db = await driver.connect(where);
    cancellable(() => db.cancel());
    await db.run(`set search_path = ${schema}`);
    const answers = await says(db);
    await db.close();
    return answers.map(heard);
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

  test("the driver's own time-out gives up what is held, and the connection goes on", async () => {
    const db = await driver.connect(await enforced.shop.jdbcThrough());
    await enforced.shop.admin.query("create table salaries ()");
    const held = await db.run("select from salaries", { timeoutSeconds: 1 });
    expect(held.error).toMatchObject({ state: "57014", message: "sallyport: cancelled while it was held for consent" });
    expect(await db.run("select 1")).toMatchObject({ results: [{ rows: [["1"]] }], transaction: "IDLE" });
    await db.close();
  });
});
