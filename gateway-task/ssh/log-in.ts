import ssh2, { type AuthContext, type Connection, type KeyboardAuthContext, type PublicKeyAuthContext } from "ssh2";
import { asSallyportError, SallyportError } from "../../core/errors.ts";
import { redactPasses } from "../../core/identity/pass.ts";
import { isSshCertificate } from "../../core/identity/ssh-certificate.ts";
import { sshFingerprint } from "../../core/identity/ssh-key.ts";
import { visible } from "../../core/recording/visible.ts";
import { CONNECT_PATIENCE_MS, type Doorway } from "../admission.ts";
import { consentsText } from "../consent.ts";
import { openSession, type SessionDeps } from "../session.ts";
import { certificateFor, holderOf, isSignedByHolder } from "./certificate-sign-in.ts";
import { clientLeg, type Leg, sendBanner } from "./leg.ts";
import type { TakeJump, Via } from "./jump.ts";
import { type KeySignInDeps, type PassForKey, principalOfKey } from "./key-sign-in.ts";
import { openRelay } from "./session.ts";
import { type DeviceSignInDeps, passFor, startDeviceSignIn } from "./sign-in.ts";
import { openTarget } from "./target.ts";

/** Six tries, as OpenSSH's MaxAuthTries. */
const MAX_TRIES = 6;
/** From where keys are exchanged to where the session lives, without the time that a person takes. */
const LOG_IN_TIMEOUT_MS = 60_000;
/** Time enough to find a browser and sign in: as long as a device's request lives. */
const SIGN_IN_TIMEOUT_MS = 10 * 60_000;

const METHODS = ["publickey", "password", "keyboard-interactive"] as const;

/** What signing in needs beside passes. */
export type SignInDeps = DeviceSignInDeps & KeySignInDeps;

export type LogInDeps = SessionDeps &
  SignInDeps & { readonly passForKey: PassForKey; readonly passForCertificate: PassForKey; readonly jump: TakeJump };

/** Who connects, as far as one can tell. */
export interface Caller {
  /** `address:port`. */
  readonly client: string;
  /** What the client calls its software. */
  readonly software: string;
  /** The session that it has come through, if it has. */
  readonly via?: Via | undefined;
  /** Called when it has signed in: from then on it is no longer counted among those that have not. */
  readonly arrived: () => void;
}

/** Lets a client that has just connected log in, and lives on in its session. */
export function serveLogIn(connection: Connection, caller: Caller, deps: LogInDeps): void {
  const logIn = new LogIn(connection, caller, deps);
  connection.on("authentication", (context) => void logIn.authenticate(context));
}

/** The log-in of one client, up to where its session lives. What goes wrong is told to the client and logged. */
class LogIn {
  readonly #connection: Connection;
  readonly #caller: Caller;
  readonly #deps: LogInDeps;
  readonly #leg: Leg<"client">;
  readonly #deadline = new AbortController();
  #timer: NodeJS.Timeout;
  #tries = 0;
  #links = 0;
  #over = false;

  constructor(connection: Connection, caller: Caller, deps: LogInDeps) {
    this.#connection = connection;
    this.#caller = caller;
    this.#deps = deps;
    this.#leg = clientLeg(connection);
    this.#timer = this.#within(LOG_IN_TIMEOUT_MS);
    connection.on("error", () => {}); // the close that follows says it
    connection.once("close", () => {
      clearTimeout(this.#timer);
      this.#deadline.abort(new SallyportError("protocol-violation", "the client went away"));
    });
  }

  #within(ms: number): NodeJS.Timeout {
    const late = new SallyportError("handshake-timeout", "the log-in took too long");
    return setTimeout(() => {
      this.#deadline.abort(late);
      this.#leg.end(late.message);
    }, ms);
  }

  #extend(ms: number): void {
    clearTimeout(this.#timer);
    if (!this.#deadline.signal.aborted) this.#timer = this.#within(ms);
  }

  /** Never throws. */
  async authenticate(context: AuthContext): Promise<void> {
    try {
      const pass = await this.#passOf(context);
      if (pass === undefined || this.#over) return;
      await this.#open(this.#connectionOf(context), pass);
      this.#over = true;
      clearTimeout(this.#timer);
      this.#caller.arrived();
      context.accept();
    } catch (thrown) {
      this.#failed(context, thrown);
    }
  }

  #failed(context: AuthContext, thrown: unknown): void {
    if (thrown === TRIED_OTHERWISE) return; // what the client tries instead is answered
    const error = asSallyportError(thrown, "internal", "the gateway failed");
    const about = { client: this.#caller.client, code: error.code, reason: redactPasses(error.message) };
    this.#deps.logger.warn(about, "an SSH log-in was refused");
    if (error.code === "internal")
      this.#deps.logger.error({ err: thrown }, "an SSH log-in failed for a reason of ours");
    if (error.code === "sign-in-required") {
      // Another method may do: the client goes on to it.
      sendBanner(this.#connection, `sallyport: ${textOf(error)}\n`);
      this.#reject(context);
    } else if (error.code.startsWith("pass-")) this.#reject(context);
    else this.#refuse(error);
  }

  /** The pass that the client has shown or earned; undefined where this method came to nothing, and the client was told. */
  async #passOf(context: AuthContext): Promise<string | undefined> {
    switch (context.method) {
      case "password":
        return context.password;
      case "keyboard-interactive":
        return this.#byBrowser(context);
      case "publickey":
        return this.#byKey(context);
      case "none":
      case "hostbased":
        context.reject([...METHODS]);
        return undefined;
    }
  }

  /** Keyboard-interactive without a prompt (RFC 4256 §3.2): the client prints the instruction, and waits. */
  async #byBrowser(context: KeyboardAuthContext): Promise<string> {
    const { signal } = this.#deadline;
    const { software } = this.#caller;
    const address = addressOf(this.#caller);
    const since = this.#deps.clock();
    // Each has its own time to be used: nobody stays at the door by asking for one after the other.
    if (++this.#links > MAX_TRIES) throw new SallyportError("limit-exceeded", "too many links were asked for");
    const connection = this.#connectionOf(context);
    const device = await startDeviceSignIn(this.#deps, { address, connection, label: software });
    this.#extend(SIGN_IN_TIMEOUT_MS);
    const gaveUp = new AbortController();
    context.once("abort", () => gaveUp.abort(TRIED_OTHERWISE));
    context.prompt([], "Sallyport", device.instruction, () => {});
    const principal = await device.decided(AbortSignal.any([signal, gaveUp.signal]));
    this.#extend(LOG_IN_TIMEOUT_MS);
    return passFor(this.#deps, principal, { connection, since });
  }

  async #byKey(context: PublicKeyAuthContext): Promise<string | undefined> {
    const { key, signature, blob, hashAlgo } = context;
    if (isSshCertificate(key.data)) return this.#byCertificate(context);
    const known = (await this.#deps.sshKeys.find(sshFingerprint(key.data))) !== undefined;
    if (known && signature === undefined) {
      context.accept(); // only says that this key would do (RFC 4252 §7)
      return undefined;
    }
    const verified =
      known && signature !== undefined && blob !== undefined && isSigned(key.data, blob, signature, hashAlgo);
    const since = this.#deps.clock();
    const principal = verified ? await principalOfKey(this.#deps, key.data) : undefined;
    if (principal !== undefined)
      return this.#deps.passForKey(principal, key.data, { connection: this.#connectionOf(context), since });
    this.#reject(context);
    return undefined;
  }

  async #byCertificate(context: PublicKeyAuthContext): Promise<string | undefined> {
    const { key, signature, blob } = context;
    const connection = this.#deps.connections().get(this.#connectionOf(context));
    const since = this.#deps.clock();
    const address = addressOf(this.#caller);
    const certificate =
      connection?.protocol === "ssh" ? certificateFor(connection, { blob: key.data, address }, since) : undefined;
    if (certificate !== undefined && signature === undefined) {
      context.accept(); // only says that it would do
      return undefined;
    }
    if (certificate !== undefined && blob !== undefined && isSignedByHolder(certificate, blob, signature as Buffer)) {
      const principal = await holderOf(this.#deps, certificate);
      const wish = { connection: this.#connectionOf(context), since };
      const text = await this.#deps.passForCertificate(principal, key.data, wish);
      const { keyId, serial } = certificate;
      const about = {
        client: this.#caller.client,
        principal: principal.id,
        keyId: visible(keyId),
        serial: String(serial),
      };
      this.#deps.logger.info(about, "signed in by a certificate");
      return text;
    }
    this.#reject(context);
    return undefined;
  }

  /** The name that the client gives is the connection's; of one that has jumped, where it wants to says that, if it can. */
  #connectionOf({ username }: AuthContext): string {
    const { connections = [username] } = this.#caller.via ?? {};
    const [only] = connections;
    if (connections.includes(username)) return username;
    if (only !== undefined && connections.length === 1) return only;
    throw new SallyportError("connection-unknown", `several connections lead there: ${connections.join(", ")}`, {
      hint: "Give the name of one as the user: ssh -J … NAME@host.",
    });
  }

  /** Everything that can be refused is refused before the client is told that it is in. */
  async #open(connection: string, pass: string): Promise<void> {
    const { signal } = this.#deadline;
    const told: Doorway["told"] = ({ reason, consents }, { link }) => {
      this.#extend(CONNECT_PATIENCE_MS + LOG_IN_TIMEOUT_MS);
      const asked = `Asked of ${consentsText(consents)}. They decide at ${link}`;
      sendBanner(this.#connection, `sallyport: held for consent: ${reason}. ${asked}\n`);
    };
    const { client, via } = this.#caller;
    const settings = via === undefined ? NO_SETTINGS : new Map([[VIA_SETTING, via.session]]);
    const login = { protocol: "ssh", connection, pass, settings, client } as const;
    const session = await openSession(
      this.#deps,
      login,
      ({ connection: named, pass: { principal }, recorder }, credentials) => {
        const called = `sallyport session ${recorder.session} of ${principal.id} (${principal.name})`;
        return openTarget(named, credentials, { called, clock: this.#deps.clock, signal });
      },
      { told, signal },
    );
    openRelay(session, this.#leg, this.#deps);
  }

  /** Counts: who guesses is sent away. */
  #reject(context: AuthContext): void {
    if (++this.#tries >= MAX_TRIES) this.#leg.end("too many log-ins failed");
    else context.reject([...METHODS]);
  }

  #refuse(error: SallyportError): void {
    this.#over = true;
    this.#leg.end(textOf(error));
  }
}

function addressOf({ client }: Pick<Caller, "client">): string {
  return client.slice(0, client.lastIndexOf(":"));
}

/** SHA-1, which the library takes where an RSA key's algorithm names no hash (RFC 4253 §6.6), proves nothing any more. */
function isSigned(key: Buffer, blob: Buffer, signature: Buffer, hash: string | undefined): boolean {
  const parsed = ssh2.utils.parseKey(key);
  if (parsed instanceof Error || (parsed.type === "ssh-rsa" && hash !== "sha256" && hash !== "sha512")) return false;
  return (parsed.verify(blob, signature, hash) as unknown) === true; // it may answer an Error
}

/** Why a sign-in by browser ended that nobody waits for any more. */
const TRIED_OTHERWISE = new SallyportError("sign-in-failed", "the client tried something else");

const NO_SETTINGS: ReadonlyMap<string, string> = new Map();
/** In the recording: the session that a client has come through. */
const VIA_SETTING = "via-session";

function textOf({ message, hint }: SallyportError): string {
  return hint === undefined ? message : `${message}. ${hint}`;
}
