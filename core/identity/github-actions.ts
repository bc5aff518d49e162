/** One issuer for everybody's workflows: what tells them apart is in the claims. */
export const GITHUB_ISSUER = "https://token.actions.githubusercontent.com";

/** Claims that name one owner or repository, and what must stand there without a wildcard. */
const PINS: Readonly<Record<string, RegExp>> = {
  sub: /^repo:[^*:/]+\//,
  repository: /^[^*:/]+\//,
  repository_owner: /^[^*]+$/,
  repository_owner_id: /^\d+$/,
  repository_id: /^\d+$/,
};

/** Do these patterns leave out the workflows of strangers? */
export function pinsGithubOwner(patterns: Readonly<Record<string, string>>): boolean {
  return Object.entries(PINS).some(
    ([claim, pinned]) => Object.hasOwn(patterns, claim) && pinned.test(patterns[claim] ?? ""),
  );
}
