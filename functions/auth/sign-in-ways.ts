import { SallyportError } from "../../core/errors.ts";
import { homeRealm } from "../../core/identity/home-realm.ts";
import type { Provider } from "../../core/config/identity.ts";
import { siteOf } from "../shared/site.ts";
import type { AuthDeps } from "./deps.ts";
import { type OidcSignIn, oidcSignIn } from "./oidc-sign-in.ts";
import type { PendingSignIn } from "./pending-sign-in.ts";
import { type SamlSignIn, samlSignIn } from "./saml-sign-in.ts";

/** OpenID Connect Core §3.1.2.1: `login` asks for the password again, so that another person can sign in. */
export type Prompt = "login" | undefined;

/** A provider, and how to sign in at it. */
type Way =
  | { readonly kind: "oidc"; readonly id: string; readonly provider: Provider; readonly signIn: OidcSignIn }
  | { readonly kind: "saml"; readonly id: string; readonly provider: Provider; readonly signIn: SamlSignIn };

export interface WaysToSignIn {
  /** The only one, where there is only one. */
  readonly only: Way | undefined;
  readonly providers: readonly Provider[];
  /** Throws `not-found`. */
  oidc(id: string): Extract<Way, { kind: "oidc" }>;
  /** Throws `not-found`. */
  saml(id: string): Extract<Way, { kind: "saml" }>;
  any(id: string): Way;
  /** The way of whoever has this address; undefined where there is none. */
  ofAddress(address: string): Way | undefined;
}

/** Throws `configuration-invalid` where there are no providers, or one that cannot be trusted. */
export function waysToSignIn(deps: AuthDeps): WaysToSignIn {
  const site = siteOf(deps.baseUrl);
  const ways = new Map(
    deps.providers.map((provider): [string, Way] => {
      const { id } = provider;
      if (provider.kind === "oidc")
        return [id, { kind: "oidc", id, provider, signIn: oidcSignIn(provider, site, deps.clock) }];
      return [id, { kind: "saml", id, provider, signIn: samlSignIn(provider, site, deps.clock) }];
    }),
  );
  if (ways.size === 0) throw new SallyportError("configuration-invalid", "there is no identity provider");
  const any = (id: string): Way => found(ways.get(id));
  return {
    only: ways.size === 1 ? [...ways.values()][0] : undefined,
    providers: deps.providers,
    any,
    oidc: (id) => {
      const way = any(id);
      return found(way.kind === "oidc" ? way : undefined);
    },
    saml: (id) => {
      const way = any(id);
      return found(way.kind === "saml" ? way : undefined);
    },
    ofAddress: (address) => {
      const provider = homeRealm(deps.providers, address);
      return provider && ways.get(provider.id);
    },
  };
}

/** Where to send the browser, and what it must bring back. */
export function begin(way: Way, returnTo: string, prompt: Prompt): Promise<{ url: URL; pending: PendingSignIn }> {
  return way.signIn.begin(returnTo, prompt);
}

function found<T>(way: T | undefined): T {
  if (way !== undefined) return way;
  throw new SallyportError("not-found", "there is no such identity provider");
}
