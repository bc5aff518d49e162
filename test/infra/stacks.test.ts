import { beforeAll, describe, expect, it } from "vitest";
import { type Synthesised, synthesise } from "./synthesised.ts";

let made: Synthesised;

beforeAll(() => {
  made = synthesise();
}, 120_000);

describe("the templates", () => {
  it("are made without asking an account for anything", () => {
    expect(made.missing).toEqual([]);
  });

  it("are as they were", () => {
    for (const [name, template] of Object.entries(made.templates)) {
      // The names of assets are digests of code, which these are not about.
      const text = JSON.stringify(template.toJSON(), undefined, 1).replaceAll(/\b[0-9a-f]{64}\b/g, "ASSET");
      expect(JSON.parse(text), name).toMatchSnapshot(name);
    }
  });
});
