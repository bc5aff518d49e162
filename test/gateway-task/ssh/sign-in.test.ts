import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import {
  DEVICE_LIFETIME_MS,
  devicePage,
  MAX_PENDING_DEVICES_PER_ADDRESS,
  parseUserCode,
} from "../../../core/identity/device-sign-in.ts";
import { hashPass, PASS_LIFETIME_MS, parsePass } from "../../../core/identity/pass.ts";
import type { DeviceRow, SignInStore, UserCode } from "../../../core/ports/sign-in-store.ts";
import { identify } from "../../../gateway-task/session.ts";
import { type DeviceSignInDeps, passFor, startDeviceSignIn } from "../../../gateway-task/ssh/sign-in.ts";
import { openDatabase } from "../../../local/database.ts";
import { sqlitePassStore } from "../../../local/pass-store.ts";
import { sqliteSignInStore } from "../../../local/sign-in-store.ts";
import { ALICE } from "../../setup/approvals.ts";

const WISH = { address: "192.0.2.7", connection: "web-1", label: "OpenSSH_9.2p1" };
const FOREVER = new AbortController().signal;
let store: SignInStore;
let deps: DeviceSignInDeps;

beforeEach(() => {
  vi.useFakeTimers();
  store = sqliteSignInStore(openDatabase(":memory:"));
  deps = { signIns: store, clock: Date.now, deviceLink: (code) => devicePage("https://sallyport.example", code) };
});
afterEach(() => void vi.useRealTimers());

const codeOf = (shown: string): UserCode => parseUserCode(shown) ?? ("" as UserCode);
const rowOf = async (shown: string): Promise<DeviceRow | undefined> => store.findUserCode(codeOf(shown));
const approve = (shown: string): Promise<boolean> =>
  store.decideDevice(codeOf(shown), { kind: "approved", principal: ALICE }, Date.now());

/** How it ends, as a word; undefined while it has not. */
function ending(decided: Promise<unknown>): () => unknown {
  let end: unknown;
  decided.then(
    (principal) => (end = principal),
    (error: unknown) => (end = error),
  );
  return () => end;
}

describe("a sign-in by a browser at an SSH client", () => {
  test("tells the person the link and the code, in plain lines", async () => {
    const { instruction, userCode } = await startDeviceSignIn(deps, WISH);
    expect(userCode).toMatch(/^[B-Z]{4}-[B-Z]{4}$/);
    expect(instruction.split("\n")).toEqual([
      `To open web-1, sign in with this link and approve the code ${userCode}:`,
      "",
      `  https://sallyport.example/auth/device?user_code=${userCode}`,
      "",
      "This goes on by itself when you have approved it.",
    ]);
  });

  test("asks for one connection, and says from where and by what", async () => {
    const { userCode } = await startDeviceSignIn(deps, WISH);
    expect(await rowOf(userCode)).toMatchObject({ ...WISH, decision: { kind: "pending" } });
  });

  test("shows what a client wrote as harmless text of bounded length", async () => {
    const hostile = `\u001b[2J\u202E\r\n${"x".repeat(5_000)}`;
    const { instruction, userCode } = await startDeviceSignIn(deps, { ...WISH, connection: hostile, label: hostile });
    expect(instruction.split("\n")).toHaveLength(5);
    const row = await rowOf(userCode);
    expect(row?.connection).toHaveLength(63);
    expect(row?.label).toHaveLength(100);
    for (const text of [instruction.replaceAll("\n", ""), row?.connection, row?.label])
      expect(text).not.toMatch(/[\p{Cc}\p{Cf}]/u);
  });

  test("goes on within a second or so of the approval, as who approved", async () => {
    const { decided, userCode } = await startDeviceSignIn(deps, WISH);
    const end = ending(decided(FOREVER));
    await vi.advanceTimersByTimeAsync(5_000);
    expect(end()).toBeUndefined();
    await approve(userCode);
    await vi.advanceTimersByTimeAsync(1_000);
    expect(end()).toEqual(ALICE);
  });

  test("is good once: whoever asks again gets nothing", async () => {
    const { decided, userCode } = await startDeviceSignIn(deps, WISH);
    await approve(userCode);
    const answers = await Promise.allSettled([decided(FOREVER), decided(FOREVER), decided(FOREVER)]);
    expect(answers.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
    expect(await rowOf(userCode)).toMatchObject({ decision: { kind: "used" } });
  });

  test("ends when it is denied, when its time is over, and when it is approved too late", async () => {
    const denied = await startDeviceSignIn(deps, WISH);
    await store.decideDevice(codeOf(denied.userCode), { kind: "denied" }, Date.now());
    await expect(denied.decided(FOREVER)).rejects.toMatchObject({ code: "access-denied" });

    const [forgotten, late] = [await startDeviceSignIn(deps, WISH), await startDeviceSignIn(deps, WISH)];
    const end = ending(forgotten.decided(FOREVER));
    await approve(late.userCode);
    await vi.advanceTimersByTimeAsync(DEVICE_LIFETIME_MS - 1);
    expect(end()).toBeUndefined();
    await vi.advanceTimersByTimeAsync(1_000);
    expect(end()).toMatchObject({ code: "sign-in-failed" });
    await expect(late.decided(FOREVER)).rejects.toMatchObject({ code: "sign-in-failed" });
  });

  test("can no longer be approved when its client has gone, and leaves its place to another", async () => {
    const { decided, userCode } = await startDeviceSignIn(deps, WISH);
    const client = new AbortController();
    const end = ending(decided(client.signal));
    await vi.advanceTimersByTimeAsync(3_500);
    client.abort(new Error("the client is gone"));
    await vi.advanceTimersByTimeAsync(0);
    expect(end()).toMatchObject({ message: "the client is gone" });
    expect(await approve(userCode)).toBe(false);
    expect(await store.countPending(WISH.address, Date.now())).toEqual({ total: 0, fromAddress: 0 });
  });

  test("ends, letting nobody in, when the store fails or loses the request", async () => {
    const failing = new Error("disk");
    const broken = { ...store, findDevice: () => Promise.reject(failing) };
    const { decided } = await startDeviceSignIn({ ...deps, signIns: broken }, WISH);
    await expect(decided(FOREVER)).rejects.toBe(failing);
    const lost = await startDeviceSignIn({ ...deps, signIns: { ...store, findDevice: async () => undefined } }, WISH);
    await expect(lost.decided(FOREVER)).rejects.toMatchObject({ code: "sign-in-failed" });
  });

  test("is not begun where as many wait from this address as may", async () => {
    for (let times = 0; times < MAX_PENDING_DEVICES_PER_ADDRESS; times++) await startDeviceSignIn(deps, WISH);
    await expect(startDeviceSignIn(deps, WISH)).rejects.toMatchObject({ code: "limit-exceeded" });
    await startDeviceSignIn(deps, { ...WISH, address: "192.0.2.8" });
  });
});

test("the pass of a sign-in opens its connection, for an hour, and no other", async () => {
  const db = openDatabase(":memory:");
  const passes = sqlitePassStore(db);
  const issuing = { passes, signIns: sqliteSignInStore(db), clock: Date.now };
  const text = await passFor(issuing, ALICE, { connection: "web-1", since: Date.now() });
  expect(parsePass(text)).toBe(text);
  const kept = await identify({ passes, clock: Date.now }, { pass: text, connection: "web-1" });
  expect(kept).toMatchObject({ principal: ALICE, connection: "web-1", label: "ssh sign-in" });
  expect(kept.expiresAt - kept.issuedAt).toBe(PASS_LIFETIME_MS);
  expect((await passes.find(hashPass(text)))?.id).toBe(kept.id);
  await expect(identify({ passes, clock: Date.now }, { pass: text, connection: "web-2" })).rejects.toMatchObject({
    code: "pass-wrong-connection",
  });
});
