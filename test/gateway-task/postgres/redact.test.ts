import { serialize } from "pg-protocol/dist/serializer.js";
import { describe, expect, test } from "vitest";
import { backendFields } from "../../../gateway-task/postgres/error-fields.ts";
import { redactErrorReply, redactMessage } from "../../../gateway-task/postgres/redact.ts";
import { expectWellFormed } from "./well-formed.ts";

const SECRET = "c4n4ry_Zq7";
const PASS = "sp_0123456789abcdefghijABCDEFGHIJ";

function redactText(sql: string): string {
  const out = redactMessage(serialize.query(sql));
  expectWellFormed(out);
  return out.toString("utf8", 5, out.length - 1);
}

const HIDDEN: readonly (readonly [sql: string, stored: string])[] = [
  ["ALTER ROLE bob PASSWORD 'S'", "ALTER ROLE bob PASSWORD '[redacted]'"],
  ["alter user bob with encrypted password'S'valid until 'tomorrow'", "*"],
  ["alter user bob password 'S' valid until 'tomorrow'", "alter user bob password '[redacted]' valid until 'tomorrow'"],
  ["CREATE GROUP g UNENCRYPTED /* a /* b */ c */ PaSsWoRd -- x\n\t E'it\\'S' LOGIN", "*"],
  ["create role r password $x$S$x$ login", "create role r password $$[redacted]$$ login"],
  ["create role r password U&'\\0041S' login", "create role r password '[redacted]' login"],
  ["create role r password 'a'  \n -- why\n 'S' login", "create role r password '[redacted]' login"],
  ["create role r password 'it''S'", "create role r password '[redacted]'"],
  ["create user password password 'S'", "create user password password '[redacted]'"],
  ["select 1; alter role r password 'S'; select 2", "select 1; alter role r password '[redacted]'; select 2"],
  ["ALTER ROLE bob PASSWORD 'S", "*"],
  ["ALTER ROLE bob PASSWORD E'S\\'", "*"],
  ["ALTER ROLE bob PASSWORD $a$S", "*"],
  ["ALTER ROLE bob PASSWORD S", "ALTER ROLE bob PASSWORD [redacted]"],
  ['ALTER ROLE bob PASSWORD "S"; select 1', "ALTER ROLE bob PASSWORD [redacted]; select 1"],
  ["ALTER ROLE bob PASSWORD 'it's S'", "*"],
  ["ALTER ROLE bob PASSWORD 'it's 'S'", "*"],
  ["ALTER ROLE bob PASSWORD 'it' 'S'", "*"],
  ["alter role x' password 'S'", "*"],
  ["select 'it\\'s'; alter role x password 'S'", "*"],
  ["ALTER ROLE bob PASSWORD 'a\\'S'", "*"],
  ["select '\\''; alter role bob password 'S' /* ' */", "*"],
  ["do $$ begin alter role bob password 'S'; end $$", "do $$ begin alter role bob password '[redacted]'; end $$"],
  ["do $$ begin execute 'alter role bob password ''S'''; end $$", "do $$ begin execute '[redacted]'; end $$"],
  ["do $$ begin execute $q$alter role bob password $p$S$p$ $q$; end $$", "*"],
  ["select format('alter role %I password %L', 'bob', 'S')", "*"],
  ["do $$ begin execute 'alter role bob password ' || quote_literal('S'); end $$", "*"],
  ["do $$ begin execute 'alter role bob password ''' || 'S' || ''''; end $$", "*"],
  ["/* alter role bob password 'S' */ select 1", "/* alter role bob password '[redacted]' */ select 1"],
  ["-- don't: alter role bob password 'S'\nselect 1", "*"],
  [
    "create user mapping for bob server s options (user 'bob', password 'S')",
    "create user mapping for bob server s options (user 'bob', password '[redacted]')",
  ],
  ["alter user mapping for bob server s options (set password 'S')", "*"],
  [
    "alter server s options (add \"password\" 'S', host 'h')",
    "alter server s options (add \"password\" '[redacted]', host 'h')",
  ],
  ["alter server s options (add U&\"p\\0061ssword\" 'S', passfile '/S')", "*"],
  [
    "select dblink_connect('c', 'host=h password=S dbname=d')",
    "select dblink_connect('c', 'host=h password=[redacted] dbname=d')",
  ],
  ["select dblink_connect('host=h password = ''S S'' dbname=d')", "select dblink_connect('[redacted]')"],
  [
    "select dblink_connect($$host=h password='S \\' S' dbname=d$$)",
    "select dblink_connect($$host=h password=[redacted] dbname=d$$)",
  ],
  ["select dblink_connect(E'host=h\\npass\\x77ord=S sslpassword=S')", "select dblink_connect('[redacted]')"],
  [
    "create subscription s connection 'postgresql://bob:S@h:5432/d' publication p",
    "create subscription s connection 'postgresql://bob:[redacted]@h:5432/d' publication p",
  ],
  ["create subscription s connection 'postgresql://:a@S@h/d' publication p", "*"],
  ["create subscription s connection 'postgresql://h/d?user=bob&password=S' publication p", "*"],
  ["copy t from program 'curl ftp://u:S@h/'", "copy t from program 'curl ftp://u:[redacted]@h/'"],
  ["select set_config('my.password', 'S', false), 'x'", "select set_config('my.password', '[redacted]', false), 'x'"],
  ["select pg_catalog.set_config ( setting_name => 'my.password', new_value => 'S', is_local => true )", "*"],
  ["set my.password = 'S'", "*"],
  ["set local my.password to S; select 'x'", "set local my.password to[redacted]; select 'x'"],
  ["alter database d set app.jwt_secret = 'S'", "*"],
  ["alter role bob set my.password to S", "*"],
  ["update users set password = 'S', name = 'bob'", "update users set password = '[redacted]', name = 'bob'"],
  ["update users set user_password=crypt('S', gen_salt('bf')), name = 'bob'", "*"],
  [
    "select 'a' from u where u.password = 'S' and name = 'bob'",
    "select 'a' from u where u.password = '[redacted]' and name = 'bob'",
  ],
  ["select * from u where password::text <> $1 || 'S' order by 'a'", "*"],
  [
    "select * from u where (u.passwd) in ('S', 'S') or name in ('a', 'b')",
    "select * from u where (u.passwd) in ('[redacted]', '[redacted]') or name in ('a', 'b')",
  ],
  ["select * from u where data ->> 'password' = 'S'", "*"],
  ["call login(password => 'S')", "call login(password => '[redacted]')"],
  [`select '${PASS}'`, "select '[redacted]'"],
  [`select ${PASS} /* ${PASS} */`, "select [redacted] /* [redacted] */"],
  ["select 'é'; alter role \"é\" password 'S'", "select 'é'; alter role \"é\" password '[redacted]'"],
];

const UNALTERED = [
  "select password from users",
  "select password, 'x' from users where password = $1 and name = 'bob'",
  "select password::text, 'x' from users",
  "update users set password = $1, name = 'bob' where id = 3",
  "alter role bob password null",
  "alter role bob password null valid until 'tomorrow'",
  "create role password",
  "alter user password set work_mem = '64MB'",
  "alter group g add user password",
  "create table users (name text default 'x', password text not null default 'x')",
  "comment on column users.password is 'the hash'",
  "select 'password', 'email'",
  "select * from t where key in ('password', 'x')",
  "select 'forgot password?', 'x'",
  "select set_config('work_mem', '64MB', false), 'password'",
  "select 'https://example.com:8080/path', 'a@b'",
  "select 'https://example.com/a:b@c'",
  "insert into passwords (a) values ('x')",
  "select 'sp_short'",
  "create user mapping for bob server s options (user 'bob')",
  "create user mapping for password server s",
  "select $$it's$$, 'C:\\', password from t",
  "select pwd.id from pwd where pwd.id = 'x'",
];

describe("redactMessage", () => {
  test.each(HIDDEN)("hides the secret of: %s", (sql, stored) => {
    const text = redactText(sql.replaceAll(/(?<![A-Za-z])S(?![A-Za-z])/g, SECRET));
    expect(text).not.toContain(SECRET);
    expect(text).not.toContain(PASS);
    expect(text).toContain("[redacted]");
    if (stored !== "*") expect(text).toBe(stored);
  });

  test.each(UNALTERED)("returns the identical buffer for: %s", (sql) => {
    const query = serialize.query(sql);
    expect(redactMessage(query)).toBe(query);
    const parse = serialize.parse({ name: "s1", text: sql, types: [23, 25] });
    expect(redactMessage(parse)).toBe(parse);
  });

  test("keeps a Parse's name and parameter types", () => {
    const message = serialize.parse({ name: "s1", text: `alter role bob password '${SECRET}'`, types: [23, 25] });
    const expected = serialize.parse({ name: "s1", text: "alter role bob password '[redacted]'", types: [23, 25] });
    expect(redactMessage(message).equals(expected)).toBe(true);
  });

  test("hides a secret behind a NUL, in a statement's name, and in a message whose parts do not add up", () => {
    const body = `alter role bob password '${SECRET}'`;
    const bodies = [
      Buffer.from(`Q____select 1\0${body}`),
      Buffer.from(`Q____${body}`),
      Buffer.from(`P____${PASS}\0${body}\0\0\0`),
      Buffer.from(`P____${body}`),
      Buffer.from(`P____\0select 1\0${body}`),
      Buffer.from(`P____\0${body}\0\0\x09abc`),
      Buffer.from(`P____\0${body}\0`),
    ];
    for (const message of bodies) {
      message.writeUInt32BE(message.length - 1, 1);
      const out = redactMessage(message);
      expectWellFormed(out);
      expect(out.toString("latin1")).not.toContain(SECRET);
      expect(out.toString("latin1")).not.toContain(PASS);
    }
  });

  test("finds a secret megabytes into a statement", () => {
    for (const pad of [0, 7, 14, 100]) {
      const before = `${" ".repeat(pad)}insert into t values ${"(1,'some longer text: it is tokens that take time'),".repeat(50_000)}(2,'');`;
      const stored = redactText(`${before}alter role bob password '${SECRET}'`);
      expect(stored === `${before}alter role bob password '[redacted]'`).toBe(true);
    }
  });
});

describe("a statement that may hold a secret", () => {
  const million = 1_000_000;
  const endless = [
    `alter role bob password 'x' ${"a ".repeat(million)}`,
    `select '${"(".repeat(million)} password'`,
    `do $a$ execute $b$ select password ${";".repeat(million)} $b$ $a$`,
    `/* password ${"'',".repeat(million)} */`,
    `select '${"''".repeat(8 * million)}password'`,
  ];
  test.each(endless.map((sql) => [sql.slice(0, 40), sql]))("is refused if it takes too long to read: %s…", (_, sql) => {
    expect(() => redactMessage(serialize.query(sql))).toThrow(expect.objectContaining({ code: "limit-exceeded" }));
  });

  test("may be as long as it likes where it has few tokens, or names no secret", () => {
    const text = "lorem ipsum ".repeat(million);
    for (const sql of [`select '${text}' password`, `select ${"a,".repeat(million)} a`])
      expect(redactMessage(serialize.query(sql))).toBeInstanceOf(Buffer);
  });
});

describe("redactErrorReply", () => {
  test("keeps severity and SQLSTATE, and nothing that could quote the statement", () => {
    const fields = [
      "SERROR",
      "VERROR",
      "C42601",
      `Msyntax error at or near "${SECRET}"`,
      "P12",
      `q${SECRET}`,
      `D${SECRET}`,
      `W${SECRET}`,
    ];
    const message = Buffer.from(`E____${fields.join("\0")}\0\0`);
    message.writeUInt32BE(message.length - 1, 1);
    const out = redactErrorReply(message);
    expect(out.readUInt32BE(1)).toBe(out.length - 1);
    expect(out.toString()).not.toContain(SECRET);
    expect(backendFields(out.subarray(5)).map(({ code, value }) => code + value)).toEqual([
      "SERROR",
      "VERROR",
      "C42601",
      expect.stringMatching(/^M\[redacted/),
    ]);
  });
});
