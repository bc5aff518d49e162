import type { Branded, Digest, Instant } from "../brand.ts";
import type { Principal, PrincipalId } from "../identity/principal.ts";

/** SHA-256 of a device code (RFC 8628 §3.2). The code itself is given to the device once and never stored. */
export type DeviceCodeHash = Branded<Digest, "DeviceCodeHash">;
/** What a person types or compares: 8 letters without the hyphen. Worthless without a sign-in of one's own. */
export type UserCode = Branded<string, "UserCode">;
/** The `jti` of a session token. */
export type TokenId = Branded<string, "TokenId">;
/** Names something that is good for one use: a kind, a colon, and a SHA-256 in hexadecimal. */
export type OnceId = Branded<string, "OnceId">;

/** A device (our CLI, or somebody's ssh) that asks to act for a person who has yet to agree. */
export interface DeviceRequest {
  readonly deviceCode: DeviceCodeHash;
  readonly userCode: UserCode;
  /** What the device calls itself; its own claim, shown as such. */
  readonly label: string;
  /** The address that asked. */
  readonly address: string;
  /** The one SSH connection that is asked for, as the client wrote it; undefined: a session of the command line. */
  readonly connection: string | undefined;
  readonly requestedAt: Instant;
  readonly expiresAt: Instant;
}

export type DeviceDecision =
  | { readonly kind: "pending" }
  | { readonly kind: "approved"; readonly principal: Principal }
  | { readonly kind: "denied" }
  /** Its token was given out: a device code is good for one. */
  | { readonly kind: "used" };

/** What a person answers. */
type DeviceAnswer = Extract<DeviceDecision, { kind: "approved" | "denied" }>;

export type DeviceRow = DeviceRequest & {
  readonly decision: DeviceDecision;
  readonly lastPolledAt: Instant | undefined;
};

/** Requests that wait for a decision and have not expired. */
interface PendingCount {
  readonly total: number;
  readonly fromAddress: number;
}

/** What a provider is asked with, again, about a person who has signed in: its refresh token, sealed by the caller. */
export interface Renewal {
  readonly sealed: string;
  readonly expiresAt: Instant;
}

/** What must outlive a request while people sign in and out. Every method throws SallyportError `store-unavailable`. */
export interface SignInStore {
  /** Refuses (`conflict`) a code that another request has. Forgets what expired DEVICE_MEMORY_MS before this one was made. */
  putDevice(request: DeviceRequest): Promise<void>;
  countPending(address: string, now: Instant): Promise<PendingCount>;
  /** Expired ones included: the caller judges. */
  findDevice(deviceCode: DeviceCodeHash): Promise<DeviceRow | undefined>;
  findUserCode(userCode: UserCode): Promise<DeviceRow | undefined>;
  /** Decides a pending, unexpired request, atomically and once. False: there is none such, or somebody was first. */
  decideDevice(userCode: UserCode, answer: DeviceAnswer, now: Instant): Promise<boolean>;
  /** Notes a poll; answers when the one before it was, undefined for the first. Atomic, so that two polls see each other. */
  notePoll(deviceCode: DeviceCodeHash, at: Instant): Promise<Instant | undefined>;
  /** Turns an approved request into a used one and answers its principal: to one caller only, however many ask. */
  useDevice(deviceCode: DeviceCodeHash, now: Instant): Promise<Principal | undefined>;
  /** Counts a wrong user code against a person; answers how many there were since `since`, this one included. */
  noteWrongCode(by: PrincipalId, at: Instant, since: Instant): Promise<number>;
  /** How many wrong user codes a person has entered since `since`. */
  wrongCodes(by: PrincipalId, since: Instant): Promise<number>;
  /** A session token that was signed out at `at`, before its time. May be forgotten after `expiresAt`. */
  signOut(token: TokenId, expiresAt: Instant, at: Instant): Promise<void>;
  isSignedOut(token: TokenId): Promise<boolean>;
  /** Ends what proved this principal at `at` or before: sessions, sign-ins, tokens of others. An earlier end never replaces a later one. */
  endAccess(principal: PrincipalId, at: Instant): Promise<void>;
  /** When the principal's access was ended last; undefined: never. */
  notBefore(principal: PrincipalId): Promise<Instant | undefined>;
  /**
   * True for the first caller with this id only, however many ask at once. The id may be forgotten after `expiresAt`, when
   * whatever it names is refused for its age.
   */
  useOnce(id: OnceId, expiresAt: Instant, at: Instant): Promise<boolean>;
  /** Keeps a person's renewal in the place of the one before; undefined: they have none from now on. */
  keepRenewal(of: PrincipalId, renewal: Renewal | undefined): Promise<void>;
  /**
   * A person's renewal: to one caller until `until` or until it is put back, however many ask at once, because providers take
   * a second use of a refresh token for theft (RFC 9700 §4.14.2). "taken": another has it. Undefined: there is none, or no longer.
   */
  takeRenewal(of: PrincipalId, now: Instant, until: Instant): Promise<Renewal | "taken" | undefined>;
  /** Puts what follows in the place of the one that was taken, or forgets it; unless the person has another one by now. */
  putBackRenewal(of: PrincipalId, taken: Renewal, next: Renewal | undefined): Promise<void>;
}
