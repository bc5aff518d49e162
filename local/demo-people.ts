import type { Person } from "./oidc-provider.ts";

/** The password of everyone at the embedded provider of `sallyport serve`. It guards nothing: the demo has another one each time. */
export const DEMO_PASSWORD = "open-sesame";

/** One of each: who works, who consents, who checks, who administers. */
export const DEMO_PEOPLE: readonly Person[] = [
  person("alice", "Alice Engineer", "engineers"),
  person("bob", "Bob Approver", "approvers"),
  person("carol", "Carol Auditor", "auditors"),
  person("dave", "Dave Admin", "admins"),
];

function person(sub: string, name: string, group: string): Person {
  return { sub, email: `${sub}@shop.example`, name, groups: [group], password: DEMO_PASSWORD };
}
