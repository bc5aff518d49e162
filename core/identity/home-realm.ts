import { SallyportError } from "../errors.ts";
import { foldName } from "../approval/same-person.ts";
import { isMailAddress } from "./mail-address.ts";
import type { Principal } from "./principal.ts";

interface Realm {
  readonly id: string;
  /** Lower-case domains of e-mail addresses; empty: every domain that no other provider has. */
  readonly domains: readonly string[];
}

/** Who has signed in; `email` where the provider gave one and does not say that it is unverified. */
export interface SignedIn {
  readonly principal: Principal;
  readonly email: string | undefined;
}

/** The provider that vouches for an e-mail address; undefined where none does, or where the text is no address. */
export function homeRealm<T extends Realm>(providers: readonly T[], address: string): T | undefined {
  const domain = domainOf(address);
  if (domain === undefined) return undefined;
  return (
    providers.find(({ domains }) => domains.includes(domain)) ?? providers.find(({ domains }) => domains.length === 0)
  );
}

/**
 * What a provider says of a person, as far as it may: an e-mail address, or a name that looks like one, must be of its domains,
 * because approvals tell people apart by it. Throws `sign-in-failed` otherwise.
 */
export function vouched(
  providers: readonly Realm[],
  by: Realm & { readonly groupPrefix: string },
  { principal, email }: SignedIn,
): SignedIn {
  // One provider without domains is the only authority there is: whatever it says of names was never judged.
  const judged = providers.length > 1 || by.domains.length > 0;
  const name = foldName(principal.name);
  const claimed = [email, name.includes("@") ? name : undefined].filter((text) => text !== undefined);
  if (judged && claimed.some((text) => homeRealm(providers, text)?.id !== by.id))
    throw new SallyportError(
      "sign-in-failed",
      "the identity provider spoke for an e-mail address that is not its own",
      {
        hint: "ask the administrator of this gateway which domains belong to your identity provider",
      },
    );
  const groups = principal.groups.map((group) => by.groupPrefix + group);
  return { principal: { ...principal, groups }, email };
}

/** The part after the last at sign, in lower case; a domain in another script is compared as punycode. */
function domainOf(address: string): string | undefined {
  const text = address.trim();
  if (!isMailAddress(text)) return undefined;
  const written = text.slice(text.lastIndexOf("@") + 1);
  const host = URL.parse(`http://${written}/`)?.hostname;
  return host === undefined || host === "" ? undefined : host;
}
