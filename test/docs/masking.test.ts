import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { parse } from "yaml";
import { BUILT_IN_DETECTORS } from "../../core/masking/schema.ts";
import { STYLES, maskingOf } from "../core/masking/kit.ts";

const PAGE = readFileSync(new URL("../../docs/masking.md", import.meta.url), "utf8");
const EXAMPLE = /^```yaml\n(.*?)^```$/ms.exec(PAGE)?.[1] ?? "";

describe("docs/masking.md", () => {
  test("has an example that is valid, and does what it says", () => {
    const masking = maskingOf(parse(EXAMPLE));
    const rule = (table: string, column: string) => masking.columnRule({ schema: "public", table, column })?.name;
    expect([rule("customers", "email"), rule("addresses", "phone"), rule("employees", "phone")]).toEqual([
      "mail",
      "staff",
      undefined,
    ]);
    expect(masking.clientView.hasColumnRules).toBe(true);
    expect(masking.clientView).not.toBe(masking);
  });

  test("lists every detector and every style", () => {
    for (const name of [...BUILT_IN_DETECTORS, "custom", ...STYLES])
      expect(PAGE).toMatch(new RegExp(`^\\| \`${name}\` +\\|`, "m"));
  });
});
