import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { parse } from "yaml";
import { parseIdentity } from "../../core/config/identity.ts";
import { PASS_LIFETIME_MS } from "../../core/identity/pass.ts";
import { MAX_ASSERTION_AGE_MS, SAML_CLOCK_SKEW_MS } from "../../core/identity/saml-assertion.ts";
import { SESSION_LIFETIME_MS } from "../../core/identity/session-token.ts";
import { callbackPath } from "../../functions/auth/oidc-sign-in.ts";

const PAGE = readFileSync(new URL("../../docs/identity.md", import.meta.url), "utf8");
const EXAMPLES = [...PAGE.matchAll(/^```yaml\n(.*?)^```$/gms)].map(([, text = ""]) => text);

describe("docs/identity.md", () => {
  test("has an example of each kind", () => {
    expect(EXAMPLES).toHaveLength(7);
    expect(PAGE.match(/kind: oidc/g)).toHaveLength(4);
  });

  test.each(EXAMPLES)("has settings that are valid: %#", (example) => {
    expect(parseIdentity(parse(example), "docs/identity.md").providers.length).toBeGreaterThan(0);
  });

  test("names the addresses to register, and for how long things last", () => {
    for (const id of ["oidc", "partner"]) expect(PAGE).toContain(`\`https://sallyport.example${callbackPath(id)}\``);
    expect([SESSION_LIFETIME_MS, PASS_LIFETIME_MS].map((ms) => ms / 3_600_000)).toEqual([8, 1]);
    expect([MAX_ASSERTION_AGE_MS, SAML_CLOCK_SKEW_MS].map((ms) => ms / 60_000)).toEqual([5, 1]);
  });
});
