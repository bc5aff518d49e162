import type { Context } from "hono";
import type { Logger } from "pino";
import type { Audit } from "../../core/audit/audit.ts";
import type { Provider } from "../../core/config/identity.ts";
import type { Services } from "../../core/config/services.ts";
import type { PassStore } from "../../core/ports/pass-store.ts";
import type { PeopleStore } from "../../core/ports/people-store.ts";
import type { Protocol, SessionStore } from "../../core/ports/session-store.ts";
import type { SignInStore } from "../../core/ports/sign-in-store.ts";
import type { SshKeyStore } from "../../core/ports/ssh-key-store.ts";
import type { Fetch } from "./bounded-fetch.ts";
import type { AuthenticationDeps } from "../shared/authenticated.ts";

/** What a person may know of a connection. */
export interface ConnectionSummary {
  readonly name: string;
  readonly protocol: Protocol;
  readonly description: string;
  /** The groups whose members see it and may ask for a pass to it. */
  readonly access: readonly string[];
}

export interface SshAddress {
  readonly port: number;
  /** The gateway's public host key: `type base64`. */
  readonly hostKey: string;
}

/** Where native clients connect to. */
export interface GatewayAddress {
  readonly host: string;
  readonly port: number;
  /** The certificate authority that vouches for the gateway; PEM, public. */
  readonly caPem: string;
  /** Where SSH clients connect to, at the same host; undefined while no SSH listener runs. */
  readonly ssh?: SshAddress | undefined;
}

export interface AuthDeps extends AuthenticationDeps {
  /** Who may say who somebody is; at least one. */
  readonly providers: readonly Provider[];
  readonly passes: PassStore;
  readonly signIns: SignInStore;
  readonly people: Pick<PeopleStore, "signedIn" | "toldAgain" | "find" | "withEmail">;
  /** Whose live sessions end with their access. */
  readonly sessions: Pick<SessionStore, "list">;
  readonly sshKeys: SshKeyStore;
  /** Groups whose members may end others' access: passes, public keys, all of it. */
  readonly admins: readonly string[];
  /** As of now: asked at every request. */
  connections(): readonly ConnectionSummary[];
  /** Whose tokens and AWS identities are exchanged for passes; as of now, too. */
  readonly services: () => Services;
  /** How issuers and STS are asked: for tests. The global one where it is not given. */
  readonly fetch?: Fetch;
  readonly gateway: GatewayAddress;
  readonly logger: Logger;
  /** What changes something is written before it is answered (ADR 0022). */
  readonly audit: Audit;
  /** The address that a request came from, as the server that took it knows; never a header that the client wrote. */
  clientAddress(c: Context): string;
}
