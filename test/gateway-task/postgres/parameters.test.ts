import * as fc from "fast-check";
import pg from "pg";
import { serialize } from "pg-protocol/dist/serializer.js";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { binaryValue } from "../../../gateway-task/postgres/binary-values.ts";
import { BindCompactor } from "../../../gateway-task/postgres/bind-compactor.ts";
import { boundValues } from "../../../gateway-task/postgres/parameters.ts";
import type { RunningPostgres } from "../../../local/embedded-postgres.ts";
import { postgresServers } from "../../setup/postgres.ts";

/** Literals of each type whose binary form the server is asked for. */
const VALUES: Readonly<Record<string, readonly string[]>> = {
  bool: ["t", "f"],
  int2: ["0", "-32768", "32767"],
  int4: ["0", "-2147483648", "2147483647"],
  int8: ["0", "-9223372036854775808", "9223372036854775807"],
  oid: ["0", "4294967295"],
  float4:
    "0 -0 1 -1.5 0.1 3.4028235e38 1e-45 1e6 999999 123456.7 0.0001 0.00001 NaN Infinity -Infinity 1.17549435e-38".split(
      " ",
    ),
  float8:
    "0 -0 1 -1.5 0.1 1e15 1e14 123456789012345678 0.0001 0.00001 5e-324 1.7976931348623157e308 2.5e-7 NaN Infinity -Infinity".split(
      " ",
    ),
  numeric:
    "0 0.00 1 -1 10000 0.0001 0.00001 123456789.987654321 -0.5 1e50 1.10 NaN Infinity -Infinity 99999999 100000000".split(
      " ",
    ),
  text: ["", "héllo", "'", "日本"],
  varchar: ["x"],
  bpchar: ["x "],
  name: ["a_name"],
  '"char"': ["c"],
  uuid: ["a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"],
  bytea: ["\\x", "\\x00ff10"],
  json: ['{"a": [1,2]}'],
  jsonb: ['{"a": [1, 2]}'],
  xml: [],
  date: [
    "2000-01-01",
    "1999-12-31",
    "2024-02-29",
    "1900-03-01",
    "0001-01-01",
    "0044-03-15 BC",
    "4713-01-01 BC",
    "5874897-12-31",
    "infinity",
    "-infinity",
    "2100-02-28",
  ],
  time: ["00:00:00", "24:00:00", "12:34:56.789", "23:59:59.999999", "00:00:00.000001"],
  timestamp: [
    "2000-01-01 00:00:00",
    "1999-12-31 23:59:59.999999",
    "2024-02-29 12:00:00.5",
    "0044-03-15 01:02:03 BC",
    "294276-12-31 23:59:59.999999",
    "infinity",
    "-infinity",
  ],
  timestamptz: ["2024-06-30 12:00:00.25+02", "0044-03-15 01:02:03+00 BC", "infinity"],
  "bool[]": ["{t,f,NULL}", "{}"],
  "int4[]": ["{1,2,NULL}", "{{1,2},{3,4}}", "[0:1]={5,6}", "[2:3][-1:0]={{1,2},{3,4}}"],
  "text[]": ['{a,"b c","","NULL",NULL,"with \\"quote\\"","back\\\\slash","{}","x,y"}', "{é}"],
  "numeric[]": ["{1.50,NaN}"],
  "uuid[]": ["{a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11}"],
  "timestamptz[]": ['{"2024-06-30 10:00:00+00"}'],
  "bytea[]": ['{"\\\\x00ff"}'],
  "jsonb[]": ['{"{\\"a\\": 1}"}'],
  "date[]": ["{2024-01-01,infinity}"],
};

describe.each(postgresServers())("binaryValue beside PostgreSQL $version", (postgres) => {
  let server: RunningPostgres;
  let client: pg.Client;
  beforeAll(async () => {
    server = await postgres.start({ auth: "trust" });
    client = new pg.Client({ host: server.host, port: server.port, user: "postgres", database: "postgres" });
    await client.connect();
    await client.query("set timezone = 'UTC'");
  });
  afterAll(async () => {
    await client.end();
    await server.stop();
  });

  test.each(Object.entries(VALUES))("a %s reads as the server prints it", async (type, values) => {
    const name = type.replaceAll('"', "");
    const send = name.endsWith("[]")
      ? "array_send"
      : { timestamptz: "timestamptz_send", timestamp: "timestamp_send" }[name];
    const { rows } = await client.query<{ send: string }>(
      "select typsend::text as send from pg_type where oid = $1::regtype",
      [type],
    );
    const sends = send ?? rows[0]?.send;
    for (const value of values) {
      const query = `select format('%s', $1::${type}) as text, ${sends}($1::${type}) as bytes, $2::regtype::oid::int8 as oid`;
      const result = await client.query<{ text: string; bytes: Buffer; oid: string }>(query, [value, type]);
      const row = result.rows[0];
      expect(binaryValue(Number(row?.oid), row?.bytes ?? Buffer.alloc(0))).toBe(row?.text);
    }
  });

  test("any float reads as the server prints it", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.double(), { minLength: 50, maxLength: 50 }),
        fc.array(fc.float(), { minLength: 50, maxLength: 50 }),
        async (doubles, floats) => {
          const query =
            "select array_agg(d::text) as printed, array_agg(float8send(d)) as sent from unnest($1::float8[]) d";
          const single =
            "select array_agg(d::text) as printed, array_agg(float4send(d)) as sent from unnest($1::float4[]) d";
          for (const [sql, type, values] of [
            [query, 701, doubles],
            [single, 700, floats],
          ] as const) {
            const { rows } = await client.query<{ printed: string[]; sent: Buffer[] }>(sql, [values.map(String)]);
            const read = rows[0]?.sent.map((bytes) => binaryValue(type, bytes));
            if (type === 701) expect(read).toEqual(rows[0]?.printed);
            else expect(read?.map(Number).map(Math.fround)).toEqual(rows[0]?.printed.map(Number).map(Math.fround));
          }
        },
      ),
      { numRuns: 20 },
    );
  });

  test("any day and moment reads as the server prints it", async () => {
    const { rows } = await client.query<{ printed: string; sent: Buffer; days: string; daysent: Buffer }>(`
      select t::text as printed, timestamp_send(t) as sent, t::date::text as days, date_send(t::date) as daysent
      from (select timestamp '4000-01-01 BC' + g * interval '1031 days 7 hours 3.001 seconds' as t from generate_series(0, 4000) g) s`);
    for (const row of rows) {
      expect(binaryValue(1114, row.sent)).toBe(row.printed);
      expect(binaryValue(1082, row.daysent)).toBe(row.days);
    }
  });
});

describe("binaryValue", () => {
  test("shows bytes that are not of the type, or of a type that it does not know, in hexadecimal", () => {
    for (const type of [16, 20, 21, 23, 26, 700, 701, 1082, 1083, 1114, 1184, 1700, 2950, 3802, 1007, 1009, 600, 0])
      for (const bytes of [Buffer.from([9, 9, 9]), Buffer.alloc(5, 0xff)])
        expect(binaryValue(type, bytes)).toBe(`\\x${bytes.toString("hex")}`);
  });

  test("throws nothing and stays small on arbitrary bytes of any type", () => {
    const types = fc.constantFrom(
      16,
      20,
      21,
      23,
      700,
      701,
      1082,
      1083,
      1114,
      1184,
      1700,
      2950,
      3802,
      1007,
      1009,
      1231,
      1001,
    );
    fc.assert(
      fc.property(types, fc.uint8Array({ maxLength: 64 }), fc.boolean(), (type, bytes, array) => {
        // An array's head, so that elements are reached: one dimension, element type 25, two elements.
        const head = Buffer.from([0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 25, 0, 0, 0, 2, 0, 0, 0, 1]);
        expect(binaryValue(type, Buffer.from(array ? Buffer.concat([head, bytes]) : bytes)).length).toBeLessThan(
          20_000,
        );
      }),
      { numRuns: 5000 },
    );
  });

  test("does not follow arrays within arrays, whose quoting would grow without end", () => {
    const nest = (inner: Buffer): Buffer => {
      const head = Buffer.from([0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 3, 0xf1, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 0]);
      head.writeInt32BE(inner.length, 20);
      return Buffer.concat([head, inner]);
    };
    let bytes: Buffer = Buffer.from("x");
    for (let i = 0; i < 100; i++) bytes = nest(bytes);
    expect(binaryValue(1009, bytes)).toBe(`\\x${bytes.toString("hex")}`);
  });
});

describe("boundValues", () => {
  const body = (message: Buffer): Buffer => message.subarray(5);
  const anyValues = fc.array(
    fc.option(
      fc.oneof(
        fc.string(),
        fc.uint8Array({ maxLength: 9000 }).map((b) => Buffer.from(b)),
      ),
    ),
    { maxLength: 60 },
  );

  test("reads from a compacted Bind what it reads from the whole, in whatever pieces it was compacted", () => {
    const bind = fc.record({
      portal: fc.constantFrom("", "p"),
      statement: fc.constantFrom("", "s"),
      values: anyValues,
      binary: fc.boolean(),
    });
    fc.assert(
      fc.property(bind, fc.array(fc.nat(500_000), { maxLength: 6 }), (config, cuts) => {
        const whole = body(serialize.bind(config));
        const compactor = new BindCompactor();
        const at = [0, ...cuts.map((cut) => cut % (whole.length + 1)), whole.length].toSorted((a, b) => a - b);
        for (const [i, start] of at.slice(0, -1).entries()) compactor.push(whole, start, at[i + 1] ?? whole.length);
        const read = boundValues({ body: whole, compacted: false }, [25]);
        expect(boundValues({ body: compactor.end(), compacted: true }, [25])).toEqual(read);
        expect(read.count).toBe(config.values.length);
        expect(read.parameters.map((parameter) => parameter.value === null)).toEqual(
          config.values.map((value) => value === null),
        );
        expect(read.resultFormats).toEqual([config.binary ? 1 : 0]);
      }),
      { numRuns: 300 },
    );
  });

  test("cuts a value at 4 KiB, between two characters, and all of them at 128 KiB", () => {
    const values = ["x".repeat(4_095) + "é", ...Array.from({ length: 40 }, () => "y".repeat(4_096))];
    const { parameters } = boundValues({ body: body(serialize.bind({ values })), compacted: false }, []);
    expect(parameters[0]).toEqual({ type: 0, value: "x".repeat(4_095), bytes: 4_097 });
    expect(parameters[1]).toEqual({ type: 0, value: "y".repeat(4_096) });
    expect(parameters.at(-1)).toEqual({ type: 0, value: "", bytes: 4_096 });
    expect(parameters.reduce((sum, { value }) => sum + (value?.length ?? 0), 0)).toBeLessThanOrEqual(128 << 10);
  });

  test("reads a Bind that is cut anywhere up to the cut", () => {
    const whole = body(serialize.bind({ portal: "p", statement: "s", values: ["a", null, Buffer.from([1])] }));
    const all = boundValues({ body: whole, compacted: false }, []).parameters;
    for (let cut = 0; cut < whole.length; cut++) {
      const { parameters } = boundValues({ body: whole.subarray(0, cut), compacted: false }, []);
      expect(parameters.length).toBeLessThanOrEqual(all.length);
      const compactor = new BindCompactor();
      compactor.push(whole, 0, cut);
      expect(boundValues({ body: compactor.end(), compacted: true }, []).count).toBeLessThanOrEqual(3);
    }
  });

  test("throws nothing on arbitrary bytes, and a compactor keeps less than a megabyte of them", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 400 }), fc.boolean(), (bytes, compacted) => {
        boundValues({ body: Buffer.from(bytes), compacted }, []);
        const compactor = new BindCompactor();
        compactor.push(Buffer.from(bytes), 0, bytes.length);
        for (let i = 0; i < 3; i++) compactor.push(Buffer.alloc(1 << 20, bytes[i]), 0, 1 << 20);
        expect(compactor.end().length).toBeLessThan(1 << 20);
      }),
      { numRuns: 200 },
    );
  });
});
