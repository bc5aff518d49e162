import { randomBytes } from "node:crypto";
import type { Instant } from "../../core/brand.ts";
import { SallyportError } from "../../core/errors.ts";
import { demandAccessSince } from "../../core/identity/access-end.ts";
import { type NewDeviceRequest, requestDevice } from "../../core/identity/device-request.ts";
import { DEVICE_LIFETIME_MS, showUserCode } from "../../core/identity/device-sign-in.ts";
import { PASS_LIFETIME_MS, type PassText, mintPass } from "../../core/identity/pass.ts";
import type { Principal } from "../../core/identity/principal.ts";
import type { Clock } from "../../core/ports/clock.ts";
import type { PassStore } from "../../core/ports/pass-store.ts";
import type { SignInStore } from "../../core/ports/sign-in-store.ts";
import { visible } from "../../core/recording/visible.ts";
import { unlessAborted } from "../within.ts";

/** How often the store is asked whether a person has decided. Here it costs no request over a network, as RFC 8628's five do. */
const POLL_MS = 1_000;
/** What a client wrote, as people read it: as long as a connection's name may be, and as a label may be. */
const MAX_CONNECTION = 63;
const MAX_LABEL = 100;

export interface DeviceSignInDeps {
  readonly signIns: Pick<
    SignInStore,
    "countPending" | "putDevice" | "findDevice" | "decideDevice" | "useDevice" | "notBefore"
  >;
  readonly clock: Clock;
  /** Where a person decides. `userCode` as people read it: `BCDF-GHJK`. */
  readonly deviceLink: (userCode: string) => string;
}

/** All of it was said by the client, and proves nothing, but for the address. */
interface SignInRequest {
  /** The socket's, without its port. */
  readonly address: string;
  readonly connection: string;
  /** What asks, for the person who decides: the client's software, say. */
  readonly label: string;
}

interface DeviceSignIn {
  /** What the client's person reads: lines of plain text. */
  readonly instruction: string;
  /** As the page shows it, for them to compare. */
  readonly userCode: string;
  /**
   * Who has approved, to one caller once. Throws `access-denied` when it was denied, `sign-in-failed` when nobody decided in
   * time, `store-unavailable`; and the signal's reason once it is aborted: then nobody can approve it any more.
   */
  readonly decided: (signal: AbortSignal) => Promise<Principal>;
}

/**
 * Begins a sign-in by a browser (RFC 8628) for an SSH client that waits in keyboard-interactive (RFC 4256).
 * Throws `limit-exceeded` where too many wait already, here or from this address.
 */
export async function startDeviceSignIn(deps: DeviceSignInDeps, wish: SignInRequest): Promise<DeviceSignIn> {
  const connection = visible(wish.connection).slice(0, MAX_CONNECTION);
  const asking = { address: wish.address, connection, label: visible(wish.label).slice(0, MAX_LABEL) };
  const request = await requestDevice(deps.signIns, asking, deps.clock());
  const userCode = showUserCode(request.userCode);
  return {
    userCode,
    instruction: [
      `To open ${connection}, sign in with this link and approve the code ${userCode}:`,
      "",
      `  ${deps.deviceLink(userCode)}`,
      "",
      "This goes on by itself when you have approved it.",
    ].join("\n"),
    decided: (signal) => decided(deps, request, signal),
  };
}

async function decided(deps: DeviceSignInDeps, request: NewDeviceRequest, signal: AbortSignal): Promise<Principal> {
  try {
    for (;;) {
      const principal = await unlessAborted(signal, judged(deps, request));
      if (principal !== undefined) return principal;
      await unlessAborted(signal, new Promise<void>((done) => setTimeout(done, POLL_MS)));
    }
  } catch (thrown) {
    // A request that nobody waits for would take another's place, and must not be approved in vain. At worst it expires.
    await deps.signIns.decideDevice(request.userCode, { kind: "denied" }, deps.clock()).catch(() => {});
    throw thrown;
  }
}

/** Undefined: nobody has decided yet. */
async function judged({ signIns, clock }: DeviceSignInDeps, request: NewDeviceRequest): Promise<Principal | undefined> {
  const kind = (await signIns.findDevice(request.hash))?.decision.kind;
  if (kind === "denied") throw new SallyportError("access-denied", "the sign-in was denied in the browser");
  const principal = kind === "approved" ? await signIns.useDevice(request.hash, clock()) : undefined;
  if (principal !== undefined) {
    // What was asked for before somebody's access was ended is not given after it, whenever they approved it.
    await demandAccessSince(signIns, principal.id, request.expiresAt - DEVICE_LIFETIME_MS);
    return principal;
  }
  if (kind !== "pending" || !(clock() < request.expiresAt))
    throw new SallyportError("sign-in-failed", "nobody approved the sign-in in time", { hint: "Connect again." });
  return undefined;
}

export interface PassDeps {
  readonly passes: Pick<PassStore, "issue" | "revoke">;
  readonly signIns: Pick<SignInStore, "notBefore">;
  readonly clock: Clock;
}

/** What the pass of a sign-in by a browser is called in its owner's list. */
const SIGN_IN_LABEL = "ssh sign-in";

/**
 * A pass for a principal who has proven themselves at an SSH client, as `openSession` wants one: for this connection alone,
 * for as long as passes live.
 * @param wish.connection as the client wrote it; whether it may be opened is judged later
 * @param wish.since when this sign-in began
 * @returns its text, which nobody can learn again. Throws `sign-in-required` where the access was ended meanwhile.
 */
export async function passFor(
  { passes, signIns, clock }: PassDeps,
  principal: Principal,
  { connection, since, label = SIGN_IN_LABEL }: { connection: string; since: Instant; label?: string },
): Promise<PassText> {
  const { text, hash } = mintPass(randomBytes);
  const now = clock();
  const issued = { hash, principal, connection, label, issuedAt: now, expiresAt: now + PASS_LIFETIME_MS };
  const { id } = await passes.issue(issued);
  await demandAccessSince(signIns, principal.id, since).catch(async (ended: unknown) => {
    await passes.revoke(id, clock());
    throw ended;
  });
  return text;
}
