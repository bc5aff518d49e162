import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { chmod, mkdtemp, readFile, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { connect } from "node:net";
import { Client } from "pg";
import type { ClientConfig } from "pg";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { reachable, reachableHome } from "../../local/unprivileged-account.ts";
import { embeddedBinaries } from "../../local/embedded-postgres-binaries.ts";
import type { RunningPostgres } from "../../local/embedded-postgres.ts";
import { postgresServers } from "../setup/postgres.ts";

let scratch: string;
beforeAll(async () => {
  scratch = await mkdtemp(join(tmpdir(), "sallyport-test-embedded-"));
  await chmod(scratch, 0o755);
});
afterAll(() => rm(scratch, { recursive: true, force: true }));

async function query(server: RunningPostgres, sql: string, config: ClientConfig = {}) {
  const { host, port, superuser: user, password } = server;
  const client = new Client({ host, port, user, password, database: "postgres", ...config });
  await client.connect();
  try {
    return (await client.query(sql)).rows;
  } finally {
    await client.end();
  }
}

/** A self-signed certificate for 127.0.0.1, and a client's that it signed. */
async function certificates(commonName: string) {
  const at = (name: string) => join(scratch, name);
  const openssl = (...args: string[]) => execFileSync("openssl", args, { stdio: "pipe" });
  const key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"];
  openssl("req", "-x509", ...key, "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", at("s.key"), "-out", at("s.crt")); // prettier-ignore
  openssl("req", ...key, "-subj", `/CN=${commonName}`, "-keyout", at("c.key"), "-out", at("c.csr"));
  openssl("x509", "-req", "-in", at("c.csr"), "-CA", at("s.crt"), "-CAkey", at("s.key"), "-out", at("c.crt"));
  const read = async (name: string) => readFile(at(name), "utf8");
  return {
    cert: await read("s.crt"),
    key: await read("s.key"),
    client: { cert: await read("c.crt"), key: await read("c.key") },
  };
}

describe.each(postgresServers())("PostgreSQL $version, started by us", ({ start, version }) => {
  test("says its version, listens on 127.0.0.1 alone, and has no Unix socket", async () => {
    const server = await start();
    try {
      const settings = ["server_version_num", "listen_addresses", "unix_socket_directories"];
      const rows = await query(
        server,
        `select ${settings.map((name) => `current_setting('${name}') as ${name}`).join()}`,
      );
      expect(Math.floor(Number(rows[0].server_version_num) / 10_000)).toBe(version);
      expect(rows[0]).toMatchObject({ listen_addresses: "127.0.0.1", unix_socket_directories: "" });
      expect(server.version).toBe(version);
    } finally {
      await server.stop();
    }
  });

  test("keeps its rows, and takes new settings, when it is started again in the same directory", async () => {
    const directory = join(scratch, `again-${version}`);
    const first = await start({ directory });
    await query(first, "create table kept as select 42 as answer");
    await first.stop();
    const second = await start({ directory, settings: { application_name: 'it\'s "quoted"' } });
    try {
      expect(await query(second, "select answer, current_setting('fsync') as fsync from kept")).toEqual([
        { answer: 42, fsync: "off" },
      ]);
      const rows = await query(second, "select reset_val from pg_settings where name = 'application_name'");
      expect(rows).toEqual([{ reset_val: 'it\'s "quoted"' }]);
    } finally {
      await second.stop();
    }
  });

  test.each(["scram-sha-256", "md5"] as const)(
    "with %s refuses a wrong password and stores that kind",
    async (auth) => {
      const server = await start({ auth });
      try {
        await expect(query(server, "select 1", { password: "wrong" })).rejects.toMatchObject({ code: "28P01" });
        const rows = await query(
          server,
          "select left(rolpassword, 3) as kind from pg_authid where rolname = 'postgres'",
        );
        expect(rows).toEqual([{ kind: auth === "md5" ? "md5" : "SCR" }]);
      } finally {
        await server.stop();
      }
    },
  );

  test("with trust asks for no password, and lines of pg_hba.conf outrank it", async () => {
    const trusting = await start({ auth: "trust" });
    try {
      expect(await query(trusting, "select 1 as one", { password: "" })).toEqual([{ one: 1 }]);
    } finally {
      await trusting.stop();
    }
    const refusing = await start({ auth: "trust", hba: ["host all all 127.0.0.1/32 reject"] });
    try {
      await expect(query(refusing, "select 1")).rejects.toMatchObject({ code: "28000" });
    } finally {
      await refusing.stop();
    }
  });

  test("with cert lets a role in by its certificate and not by another's", async () => {
    const { cert, key, client } = await certificates("carol");
    const server = await start({ auth: "cert", tls: { cert, key, ca: cert } });
    try {
      await query(server, "create role carol login; create role dave login");
      const ssl = { ca: cert, ...client };
      const asCarol = await query(server, "select current_user::text as me", { user: "carol", ssl });
      expect(asCarol).toEqual([{ me: "carol" }]);
      await expect(query(server, "select 1", { user: "dave", ssl })).rejects.toMatchObject({ code: "28000" });
      await expect(query(server, "select 1", { user: "carol" })).rejects.toMatchObject({ code: "28000" });
    } finally {
      await server.stop();
    }
  });

  test("stop() ends open sessions, frees the port, and may be called twice", async () => {
    const server = await start();
    const { host, port, superuser: user, password } = server;
    const open = new Client({ host, port, user, password, database: "postgres" });
    await open.connect();
    const ended = new Promise<unknown>((resolve) => open.on("error", resolve));
    await server.stop();
    await server.stop();
    expect(await ended).toMatchObject({ code: "57P01" });
    await expect(once(connect(port, host), "connect")).rejects.toMatchObject({ code: "ECONNREFUSED" });
  });

  test("a setting that the server refuses is an error with the server's own words", async () => {
    await expect(start({ settings: { work_mem: "lots" } })).rejects.toMatchObject({
      code: "internal",
      message: expect.stringContaining('invalid value for parameter "work_mem"'),
    });
  });

  test("a port that is taken is an error that says so", async () => {
    const server = await start();
    try {
      await expect(start({ port: server.port })).rejects.toThrow("could not bind");
    } finally {
      await server.stop();
    }
  });
});

describe("a server's life", () => {
  test.each(["SIGKILL", "SIGTERM", "SIGINT"] as const)("ends with its parent's by %s", async (signal) => {
    const program = `
      import { startEmbeddedPostgres } from ${JSON.stringify(new URL("../../local/embedded-postgres.ts", import.meta.url).href)};
      const server = await startEmbeddedPostgres({ directory: process.argv[1], superuserPassword: "x", settings: { fsync: "off" } });
      console.log(server.port, server.logFile);
      setInterval(() => {}, 1000);`;
    const directory = join(scratch, signal);
    const parent = spawn(process.execPath, ["--input-type=module", "-e", program, directory], { stdio: ["ignore", "pipe", "inherit"] }); // prettier-ignore
    const [line] = await once(createInterface(parent.stdout), "line");
    const [port, logFile] = String(line).split(" ");
    // Connected, we are told of the server's end by the server.
    const client = new Client({ host: "127.0.0.1", port: Number(port), user: "postgres", password: "x", database: "postgres" }); // prettier-ignore
    await client.connect();
    const ended = new Promise<unknown>((resolve) => client.on("error", resolve));
    parent.kill(signal);
    expect(await ended).toMatchObject({ code: "57P01" });
    await expect.poll(async () => readFile(logFile ?? "", "utf8")).toContain("database system is shut down");
  });
});

describe("where there is nothing to run", () => {
  test.each([
    ["win32", "x64"],
    ["linux", "riscv64"],
    ["sunos", "sparc"],
  ])("%s on %s is told so, and what to do", (platform, arch) => {
    expect(() => embeddedBinaries(platform, arch)).toThrow(
      expect.objectContaining({
        code: "configuration-invalid",
        message: `there is no embedded PostgreSQL for ${platform} on ${arch}`,
        hint: expect.stringContaining("npm ci"),
      }),
    );
  });
});

describe.runIf(process.getuid?.() === 0)("as root", () => {
  const nobody = { uid: 65_534, gid: 65_534 };

  test("a cluster below a closed folder is put where its account can reach it, and a link shows where", async () => {
    const closed = await mkdtemp(join(tmpdir(), "sallyport-test-closed-"));
    const asked = join(closed, "postgres");
    const home = await reachableHome(asked, nobody, "sallyport-postgres-");
    try {
      expect(home).not.toBe(asked);
      expect(reachable(home, nobody)).toBe(true);
      expect(reachable(closed, nobody)).toBe(false);
      expect(await stat(asked)).toMatchObject({ ino: (await stat(home)).ino, uid: nobody.uid });
      expect(await reachableHome(asked, nobody, "sallyport-postgres-")).toBe(home);
    } finally {
      await rm(closed, { recursive: true });
      await rm(home, { recursive: true });
    }
  });
});
