import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import pg from "pg";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { SallyportError } from "../../../core/errors.ts";
import { openTarget, type TargetSocket } from "../../../gateway-task/postgres/target.ts";
import { logInToTarget, type TargetCredentials } from "../../../gateway-task/postgres/target-login.ts";
import type { RunningPostgres } from "../../../local/embedded-postgres.ts";
import { testAuthority, type TestAuthority } from "../../setup/certificates.ts";
import { postgresServers } from "../../setup/postgres.ts";

let scratch: string;
let ours: TestAuthority;
let others: TestAuthority;
beforeAll(async () => {
  scratch = await mkdtemp(join(tmpdir(), "sallyport-test-target-"));
  ours = await testAuthority(join(scratch, "ours"));
  others = await testAuthority(join(scratch, "others"));
});
afterAll(() => rm(scratch, { recursive: true, force: true }));

const PASSWORD = "corr3ct horse";
const never = new AbortController().signal;

type Tls = { readonly mode: "disable" } | { readonly mode: "verify-full"; ca?: string; serverName?: string };
const PLAIN: Tls = { mode: "disable" };

/** Code and text of what is thrown, the text of its causes included: where a password must not be. */
async function refusal(attempt: Promise<unknown>): Promise<{ code: string; text: string }> {
  const thrown = await attempt.then(
    () => new Error("it was let in"),
    (error: unknown) => error,
  );
  if (!(thrown instanceof SallyportError)) throw thrown;
  return { code: thrown.code, text: `${thrown.message} ${String(thrown.cause)}` };
}

describe.each(postgresServers())("logging in to PostgreSQL $version", ({ start }) => {
  let server: RunningPostgres;
  let admin: pg.Client;
  const verified = (): Tls => ({ mode: "verify-full", ca: ours.ca });

  beforeAll(async () => {
    const kinds = ["trust", "md5", "scram-sha-256", "password", "reject"];
    const hba = [
      ...kinds.map((kind) => `host all by_${kind.replaceAll("-", "_")} 127.0.0.1/32 ${kind}`),
      "host all all 127.0.0.1/32 scram-sha-256",
    ];
    server = await start({ tls: await ours.issue("127.0.0.1", "db.test"), hba });
    const { host, port, superuser: user, password } = server;
    admin = new pg.Client({ host, port, user, password, database: "postgres" });
    await admin.connect();
    for (const kind of kinds)
      await admin.query(
        `set password_encryption = '${kind === "md5" ? "md5" : "scram-sha-256"}';
         create role by_${kind.replaceAll("-", "_")} login password '${PASSWORD}'`,
      );
  });
  afterAll(async () => {
    await admin.end();
    await server.stop();
  });

  const open = async (tls: Tls): Promise<TargetSocket> =>
    openTarget({ host: server.host, port: server.port, database: "postgres", otherDatabases: false, tls }, never);

  async function logIn(
    credentials: TargetCredentials,
    tls: Tls = PLAIN,
    database = "postgres",
    tamper = (t: TargetSocket) => t,
  ) {
    const target = tamper(await open(tls));
    try {
      const settings = new Map([["application_name", `as ${credentials.user}`]]);
      const greeting = await logInToTarget(target, credentials, database, settings, never);
      const sql =
        "select usename, application_name, s.ssl from pg_stat_activity a join pg_stat_ssl s using (pid) where pid = $1";
      const { rows } = await admin.query(sql, [greeting.processId]);
      return { ...greeting, session: rows[0] as unknown };
    } finally {
      target.socket.destroy();
    }
  }

  test.each(["by_trust", "by_md5", "by_scram_sha_256"])("%s gets in, with TLS and without", async (user) => {
    for (const tls of [PLAIN, verified()]) {
      const { greeting, ready, cancelSecret, session } = await logIn({ user, password: PASSWORD }, tls);
      expect(session).toEqual({ usename: user, application_name: `as ${user}`, ssl: tls.mode !== "disable" });
      expect(greeting.toString("latin1")).toContain("server_version\0");
      expect(ready.toString("latin1")).toBe("Z\0\0\0\x05I");
      expect(cancelSecret).toHaveLength(4);
    }
  });

  test("trust needs no password; what asks for one gets none that was not configured", async () => {
    await logIn({ user: "by_trust", password: undefined });
    for (const user of ["by_md5", "by_scram_sha_256"]) {
      const { code, text } = await refusal(logIn({ user, password: undefined }));
      expect([code, text]).toEqual(["target-refused", expect.stringContaining("has none configured")]);
    }
  });

  test("a password is sent in clear text only inside TLS", async () => {
    await logIn({ user: "by_password", password: PASSWORD }, verified());
    const { code } = await refusal(logIn({ user: "by_password", password: PASSWORD }));
    expect(code).toBe("target-untrusted");
  });

  test("inside TLS the channel is bound (SCRAM-SHA-256-PLUS): with another certificate's hash it does not get in", async () => {
    const credentials = { user: "by_scram_sha_256", password: PASSWORD };
    const inTheMiddle = (target: TargetSocket): TargetSocket => {
      expect(target.binding).toHaveLength(32);
      return { ...target, binding: Buffer.alloc(32, 1) };
    };
    await expect(refusal(logIn(credentials, verified(), "postgres", inTheMiddle))).resolves.toMatchObject({
      code: "target-refused",
      text: expect.stringContaining("channel binding"),
    });
    // A middle that hides PLUS from us meets `y`: the server knows that it offers it.
    const downgraded = (target: TargetSocket): TargetSocket => ({ ...target, binding: undefined });
    await logIn(credentials, verified(), "postgres", downgraded);
  });

  test.each(["by_md5", "by_scram_sha_256", "by_password"])(
    "%s with a wrong password is told so, without it",
    async (user) => {
      const { code, text } = await refusal(logIn({ user, password: "wr0ng-c4n4ry" }, verified()));
      expect(code).toBe("target-refused");
      expect(text).toContain("28P01");
      expect(text).not.toContain("c4n4ry");
    },
  );

  test.each([
    ["no such role", "nobody", "postgres", "28P01"],
    ["a role that is rejected", "by_reject", "postgres", "28000"],
    ["no such database", "by_trust", "nowhere", "3D000"],
  ])("%s: the target's own reason is passed on", async (_what, user, database, sqlstate) => {
    const { code, text } = await refusal(logIn({ user, password: PASSWORD }, PLAIN, database));
    expect(code).toBe("target-refused");
    expect(text).toContain(sqlstate);
  });

  test.each([
    " spaces ",
    "pässwörd",
    "p\u00a0q\u2003r",
    "s\u00adoft\u200dj",
    "\ufb01ne \u00aa\u2168 \u1e9b\u0323",
    "\u0007bell\u00aa",
    "\ue000private\u00aa",
    "\u0627\u0031",
    "日本語🙂",
    "a,b=c",
    "x".repeat(900),
  ])("a password of any characters is prepared as the server prepares it: %j", async (password) => {
    await admin.query(`alter role by_scram_sha_256 password ${admin.escapeLiteral(password)}`);
    try {
      await logIn({ user: "by_scram_sha_256", password });
    } finally {
      await admin.query(`alter role by_scram_sha_256 password '${PASSWORD}'`);
    }
  });

  test("a certificate of another authority is not trusted", async () => {
    const { code, text } = await refusal(open({ mode: "verify-full", ca: others.ca }));
    expect([code, text]).toEqual(["target-untrusted", expect.stringContaining("certificate")]);
  });

  test("the system's authorities do not vouch for it either", async () => {
    expect((await refusal(open({ mode: "verify-full" }))).code).toBe("target-untrusted");
  });

  test("a certificate for another host is not trusted; one for the configured name is", async () => {
    const { code, text } = await refusal(open({ mode: "verify-full", ca: ours.ca, serverName: "other.test" }));
    expect([code, text]).toEqual(["target-untrusted", expect.stringContaining("other.test")]);
    await logIn({ user: "by_trust", password: undefined }, { mode: "verify-full", ca: ours.ca, serverName: "db.test" });
    const address = { mode: "verify-full", ca: ours.ca, serverName: "127.0.0.2" } as const;
    expect((await refusal(open(address))).code).toBe("target-untrusted");
  });
});
