import type { DatabaseSync } from "node:sqlite";
import { z } from "zod";
import { SallyportError } from "../core/errors.ts";
import { DEVICE_MEMORY_MS } from "../core/identity/device-sign-in.ts";
import type {
  DeviceCodeHash,
  DeviceDecision,
  DeviceRequest,
  DeviceRow,
  Renewal,
  SignInStore,
  UserCode,
} from "../core/ports/sign-in-store.ts";
import { addColumn, stored } from "./database.ts";
import { principalFromText, principalToText } from "./pass-store.ts";

const SCHEMA = `
  CREATE TABLE IF NOT EXISTS device_requests (
    device_code TEXT PRIMARY KEY,
    user_code TEXT NOT NULL UNIQUE,
    label TEXT NOT NULL,
    address TEXT NOT NULL,
    requested_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    decision TEXT NOT NULL DEFAULT 'pending' CHECK (decision IN ('pending', 'approved', 'denied', 'used')),
    principal TEXT,
    last_polled_at INTEGER
  ) STRICT;
  CREATE INDEX IF NOT EXISTS device_requests_by_expiry ON device_requests (expires_at);
  CREATE TABLE IF NOT EXISTS wrong_user_codes (principal_id TEXT NOT NULL, at INTEGER NOT NULL) STRICT;
  CREATE INDEX IF NOT EXISTS wrong_user_codes_of ON wrong_user_codes (principal_id, at);
  CREATE TABLE IF NOT EXISTS signed_out (token_id TEXT PRIMARY KEY, expires_at INTEGER NOT NULL) STRICT;
  CREATE TABLE IF NOT EXISTS access_ends (principal_id TEXT PRIMARY KEY, at INTEGER NOT NULL) STRICT;
  CREATE TABLE IF NOT EXISTS used_once (id TEXT PRIMARY KEY, expires_at INTEGER NOT NULL) STRICT;
  CREATE INDEX IF NOT EXISTS used_once_by_expiry ON used_once (expires_at);
  CREATE TABLE IF NOT EXISTS renewals (
    principal_id TEXT PRIMARY KEY,
    sealed TEXT NOT NULL,
    expires_at INTEGER NOT NULL,
    taken_until INTEGER NOT NULL DEFAULT 0
  ) STRICT;
`;

const deviceRow = z.object({
  device_code: z.string(),
  user_code: z.string(),
  label: z.string(),
  address: z.string(),
  requested_at: z.number(),
  expires_at: z.number(),
  decision: z.enum(["pending", "approved", "denied", "used"]),
  principal: z.string().nullable(),
  last_polled_at: z.number().nullable(),
  connection: z.string().nullable(),
});

const counts = z.object({ total: z.number(), from_address: z.number() });
const count = z.object({ total: z.number() });
const polled = z.object({ last_polled_at: z.number().nullable() });
const ended = z.object({ at: z.number() });
const used = z.object({ principal: z.string() });
const renewal = z
  .object({ sealed: z.string(), expires_at: z.number() })
  .transform(({ sealed, expires_at: expiresAt }): Renewal => ({ sealed, expiresAt }));

type DeviceMethods =
  "putDevice" | "countPending" | "findDevice" | "findUserCode" | "decideDevice" | "notePoll" | "useDevice";

/** The port on SQLite. Makes its tables where there are none. Each method is one statement, or runs without a pause. */
export function sqliteSignInStore(db: DatabaseSync): SignInStore {
  db.exec(SCHEMA);
  addColumn(db, "device_requests", "connection", "TEXT");
  return {
    ...deviceRequests(db),
    ...wrongCodes(db),
    ...signedOut(db),
    ...usedOnce(db),
    ...accessEnds(db),
    ...renewals(db),
  };
}

function deviceRequests(db: DatabaseSync): Pick<SignInStore, DeviceMethods> {
  const forget = db.prepare("DELETE FROM device_requests WHERE expires_at < ?");
  const insert = db.prepare(`
    INSERT INTO device_requests (device_code, user_code, label, address, requested_at, expires_at, connection)
    VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING`);
  const pending = db.prepare(`
    SELECT count(*) AS total, count(*) FILTER (WHERE address = ?) AS from_address
    FROM device_requests WHERE decision = 'pending' AND expires_at > ?`);
  const byDevice = db.prepare("SELECT * FROM device_requests WHERE device_code = ?");
  const byUser = db.prepare("SELECT * FROM device_requests WHERE user_code = ?");
  const decide = db.prepare(`
    UPDATE device_requests SET decision = ?, principal = ?
    WHERE user_code = ? AND decision = 'pending' AND expires_at > ?`);
  const lastPoll = db.prepare("SELECT last_polled_at FROM device_requests WHERE device_code = ?");
  const poll = db.prepare("UPDATE device_requests SET last_polled_at = ? WHERE device_code = ?");
  const use = db.prepare(`
    UPDATE device_requests SET decision = 'used'
    WHERE device_code = ? AND decision = 'approved' AND expires_at > ? RETURNING principal`);
  const one = (found: unknown): DeviceRow | undefined => (found === undefined ? undefined : toDevice(found));

  return {
    putDevice: (request) =>
      stored("keep a device's request", () => {
        forget.run(request.requestedAt - DEVICE_MEMORY_MS);
        if (insert.run(...values(request)).changes === 0)
          throw new SallyportError("conflict", "this code is in use already");
      }),
    countPending: (address, now) =>
      stored("count requests", () => {
        const { total, from_address } = counts.parse(pending.get(address, now));
        return { total, fromAddress: from_address };
      }),
    findDevice: (code) => stored("find a device's request", () => one(byDevice.get(code))),
    findUserCode: (code) => stored("find a device's request", () => one(byUser.get(code))),
    decideDevice: (code, answer, now) =>
      stored("keep a decision", () => {
        const principal = answer.kind === "approved" ? principalToText(answer.principal) : null;
        return decide.run(answer.kind, principal, code, now).changes > 0;
      }),
    notePoll: (code, at) =>
      stored("note a poll", () => {
        const before = polled.optional().parse(lastPoll.get(code));
        poll.run(at, code);
        return before?.last_polled_at ?? undefined;
      }),
    useDevice: (code, now) =>
      stored("use a device's request", () => {
        const found = use.get(code, now);
        return found === undefined ? undefined : principalFromText(used.parse(found).principal);
      }),
  };
}

function wrongCodes(db: DatabaseSync): Pick<SignInStore, "noteWrongCode" | "wrongCodes"> {
  const forget = db.prepare("DELETE FROM wrong_user_codes WHERE principal_id = ? AND at < ?");
  const insert = db.prepare("INSERT INTO wrong_user_codes (principal_id, at) VALUES (?, ?)");
  const total = db.prepare("SELECT count(*) AS total FROM wrong_user_codes WHERE principal_id = ? AND at >= ?");
  return {
    noteWrongCode: (by, at, since) =>
      stored("count a wrong code", () => {
        forget.run(by, since);
        insert.run(by, at);
        return count.parse(total.get(by, since)).total;
      }),
    wrongCodes: (by, since) => stored("count wrong codes", () => count.parse(total.get(by, since)).total),
  };
}

function signedOut(db: DatabaseSync): Pick<SignInStore, "signOut" | "isSignedOut"> {
  const forget = db.prepare("DELETE FROM signed_out WHERE expires_at < ?");
  const insert = db.prepare("INSERT INTO signed_out (token_id, expires_at) VALUES (?, ?) ON CONFLICT DO NOTHING");
  const find = db.prepare("SELECT 1 FROM signed_out WHERE token_id = ?");
  return {
    signOut: (token, expiresAt, at) =>
      stored("sign out", () => {
        forget.run(at);
        insert.run(token, expiresAt);
      }),
    isSignedOut: (token) => stored("look up a session", () => find.get(token) !== undefined),
  };
}

function usedOnce(db: DatabaseSync): Pick<SignInStore, "useOnce"> {
  const forget = db.prepare("DELETE FROM used_once WHERE expires_at < ?");
  const insert = db.prepare("INSERT INTO used_once (id, expires_at) VALUES (?, ?) ON CONFLICT DO NOTHING");
  return {
    useOnce: (id, expiresAt, at) =>
      stored("keep what was used", () => {
        forget.run(at);
        return insert.run(id, expiresAt).changes > 0;
      }),
  };
}

function accessEnds(db: DatabaseSync): Pick<SignInStore, "endAccess" | "notBefore"> {
  const end = db.prepare(`
    INSERT INTO access_ends (principal_id, at) VALUES (?, ?)
    ON CONFLICT (principal_id) DO UPDATE SET at = max(at, excluded.at)`);
  const find = db.prepare("SELECT at FROM access_ends WHERE principal_id = ?");
  return {
    endAccess: (principal, at) => stored("end somebody's access", () => void end.run(principal, at)),
    notBefore: (principal) =>
      stored("look up whether access was ended", () => ended.optional().parse(find.get(principal))?.at),
  };
}

function renewals(db: DatabaseSync): Pick<SignInStore, "keepRenewal" | "takeRenewal" | "putBackRenewal"> {
  const put = db.prepare(`
    INSERT INTO renewals (principal_id, sealed, expires_at) VALUES (?, ?, ?)
    ON CONFLICT (principal_id) DO UPDATE SET sealed = excluded.sealed, expires_at = excluded.expires_at, taken_until = 0`);
  const remove = db.prepare("DELETE FROM renewals WHERE principal_id = ?");
  const take = db.prepare(`
    UPDATE renewals SET taken_until = ? WHERE principal_id = ? AND expires_at > ? AND taken_until <= ?
    RETURNING sealed, expires_at`);
  const find = db.prepare("SELECT 1 FROM renewals WHERE principal_id = ? AND expires_at > ?");
  const next = db.prepare(`
    UPDATE renewals SET sealed = ?, expires_at = ?, taken_until = 0 WHERE principal_id = ? AND sealed = ?`);
  const forget = db.prepare("DELETE FROM renewals WHERE principal_id = ? AND sealed = ?");
  return {
    keepRenewal: (of, kept) =>
      stored("keep a renewal", () => {
        if (kept === undefined) remove.run(of);
        else put.run(of, kept.sealed, kept.expiresAt);
      }),
    takeRenewal: (of, now, until) =>
      stored("take a renewal", () => {
        const taken = renewal.optional().parse(take.get(until, of, now, now));
        if (taken !== undefined) return taken;
        return find.get(of, now) === undefined ? undefined : "taken";
      }),
    putBackRenewal: (of, taken, following) =>
      stored("put a renewal back", () => {
        if (following === undefined) forget.run(of, taken.sealed);
        else next.run(following.sealed, following.expiresAt, of, taken.sealed);
      }),
  };
}

function values(request: DeviceRequest): (string | number | null)[] {
  const { deviceCode, userCode, label, address, requestedAt, expiresAt, connection } = request;
  return [deviceCode, userCode, label, address, requestedAt, expiresAt, connection ?? null];
}

function toDevice(found: unknown): DeviceRow {
  const row = deviceRow.parse(found);
  return {
    deviceCode: row.device_code as DeviceCodeHash,
    userCode: row.user_code as UserCode,
    label: row.label,
    address: row.address,
    connection: row.connection ?? undefined,
    requestedAt: row.requested_at,
    expiresAt: row.expires_at,
    decision: decisionOf(row.decision, row.principal),
    lastPolledAt: row.last_polled_at ?? undefined,
  };
}

function decisionOf(kind: DeviceDecision["kind"], principal: string | null): DeviceDecision {
  if (kind !== "approved") return { kind };
  if (principal === null) throw new SallyportError("store-unavailable", "an approved request has no principal");
  return { kind, principal: principalFromText(principal) };
}
