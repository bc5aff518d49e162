import { expect, test } from "vitest";
import { libpqEnvironment } from "../../cli/psql.ts";

const LOGIN = { host: "h", port: 1, database: "shop/x", user: "alice", pass: "sp_secret", caFile: "/ca.pem" };

test("libpq is led to the gateway alone, with full verification, whatever the person's own variables say", () => {
  const theirs = ["HOST", "HOSTADDR", "PORT", "SERVICE", "SERVICEFILE", "PASSFILE", "SSLMODE", "SSLCERT", "SSLNEGOTIATION", "CHANNELBINDING", "REQUIREAUTH", "TARGETSESSIONATTRS"]; // prettier-ignore
  const env = Object.fromEntries(theirs.map((name) => [`PG${name}`, "theirs"]));
  expect(libpqEnvironment(LOGIN, { ...env, PGOPTIONS: "-c x=y", TERM: "xterm", HOME: "/home/a" })).toEqual({
    TERM: "xterm",
    HOME: "/home/a",
    PGOPTIONS: "-c x=y",
    PGHOST: "h",
    PGPORT: "1",
    PGDATABASE: "shop/x",
    PGUSER: "alice",
    PGPASSWORD: "sp_secret",
    PGSSLMODE: "verify-full",
    PGSSLROOTCERT: "/ca.pem",
    PGGSSENCMODE: "disable",
  });
});
