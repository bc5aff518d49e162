import { describe, expect, test } from "vitest";
import { parseMasking } from "../../../core/masking/config.ts";
import { SallyportError } from "../../../core/errors.ts";
import { KEY, maskingOf } from "./kit.ts";

const rule = { name: "r", columns: ["customers.email"], style: "full" };
const detector = { name: "d", detect: "card", style: "partial" };
const custom = { name: "d", detect: "custom", style: "full", pattern: "a", contains: "a" };

describe("masking.yaml", () => {
  test.each([
    ["a document that is no mapping", 7, "expected object"],
    ["an unknown key", { rules: [] }, "rules"],
    ["an unknown style", { columns: [{ ...rule, style: "blur" }] }, "columns[0].style"],
    ["a column without its table", { columns: [{ ...rule, columns: ["email"] }] }, "columns[0].columns[0]"],
    ["a column in four parts", { columns: [{ ...rule, columns: ["a.b.c.d"] }] }, "columns[0].columns[0]"],
    ["an empty part", { columns: [{ ...rule, columns: ["customers."] }] }, "columns[0].columns[0]"],
    ["a rule for no column", { columns: [{ name: "r", style: "full" }] }, "names no column"],
    ["a tag that is not there", { columns: [{ name: "r", tags: ["pii"], style: "full" }] }, "there is no tag pii"],
    ["two rules of one name", { columns: [rule], detectors: [{ ...detector, name: "r" }] }, "another rule is named r"],
    ["an unknown detector", { detectors: [{ ...detector, detect: "dna" }] }, "detectors[0].detect"],
    ["a pattern that is not RE2", { detectors: [{ ...custom, pattern: "(a" }] }, "RE2"],
    ["a look-ahead", { detectors: [{ ...custom, pattern: "a(?=b)" }] }, "RE2"],
    ["a pattern of nothing", { detectors: [{ ...custom, pattern: "a*" }] }, "empty text"],
    ["a pattern without its literal", { detectors: [{ ...custom, contains: undefined }] }, "detectors[0].contains"],
    ["a place that is none", { columns: [{ ...rule, where: "nowhere" }] }, "columns[0].where"],
  ])("with %s is refused, and the place is named", (_, document, place) => {
    expect(() => parseMasking(document, KEY)).toThrow(SallyportError);
    expect(() => parseMasking(document, KEY)).toThrow(expect.objectContaining({ code: "configuration-invalid" }));
    expect(() => parseMasking(document, KEY)).toThrow(place);
  });

  test("is refused with a key that is too short to keep a hash secret", () => {
    expect(() => parseMasking({}, Buffer.alloc(15))).toThrow("key");
  });

  test.each([undefined, null, {}])("without rules masks nothing: %s", (document) => {
    const masking = maskingOf(document);
    expect(masking).toMatchObject({ hasColumnRules: false, hasDetectors: false });
    expect(masking.clientView).toBe(masking);
    expect(masking.columnRule({ schema: "public", table: "customers", column: "email" })).toBeUndefined();
  });

  test("has a version that changes with every rule, and with nothing else", () => {
    const version = (document: unknown, key = KEY): string => parseMasking(document, key).version;
    expect(version({ columns: [rule] })).toMatch(/^[0-9a-f]{64}$/);
    expect(version({ columns: [rule] })).toBe(version({ columns: [{ ...rule }] }, Buffer.alloc(32)));
    expect(version({ columns: [rule] })).not.toBe(version({ columns: [{ ...rule, style: "hash" }] }));
  });
});

describe("a column rule", () => {
  const column = (schema: string, table: string, name: string) => ({ schema, table, column: name });
  test.each([
    ["customers.email", column("public", "customers", "email"), true],
    ["customers.email", column("other", "customers", "email"), true],
    ["Customers.EMAIL", column("public", "customers", "Email"), true],
    ["customers.email", column("public", "customers", "email2"), false],
    ["customers.email", column("public", "xcustomers", "email"), false],
    ["public.customers.email", column("public", "customers", "email"), true],
    ["public.customers.email", column("other", "customers", "email"), false],
    ["*.email", column("public", "employees", "email"), true],
    ["*.*mail*", column("public", "employees", "e_mail_2"), true],
    ["customers*.email", column("public", "customers_2026_01", "email"), true],
    ["*.*.ssn", column("hr", "staff", "ssn"), true],
    ["a+b.c$d", column("public", "a+b", "c$d"), true],
    ["a+b.c$d", column("public", "aab", "c$d"), false],
    ["*.email", column("public", "new\nline", "email"), true],
  ])("for %s matches %o: %s", (pattern, name, matches) => {
    const found = maskingOf({ columns: [{ ...rule, columns: [pattern] }] }).columnRule(name);
    expect(found?.name).toBe(matches ? "r" : undefined);
  });

  test("spares its exceptions, follows its tags, and the first that matches counts", () => {
    const masking = maskingOf({
      tags: { pii: ["customers.*"] },
      columns: [
        { name: "first", tags: ["pii"], except: ["*.id"], style: "hash" },
        { name: "second", columns: ["*.*"], except: ["orders.*"], style: "full" },
      ],
    });
    const of = (table: string, name: string) => masking.columnRule(column("public", table, name))?.name;
    expect([of("customers", "email"), of("customers", "id"), of("orders", "id")]).toEqual([
      "first",
      "second",
      undefined,
    ]);
  });

  test("applies to the connections and environments that it names, and to no others", () => {
    const config = parseMasking(
      {
        columns: [{ ...rule, connections: ["shop"] }],
        detectors: [{ ...detector, environments: ["production"] }],
      },
      KEY,
    );
    const of = (connection: string, environment: string) => {
      const { hasColumnRules, hasDetectors } = config.forConnection(connection, environment);
      return [hasColumnRules, hasDetectors];
    };
    expect(of("shop", "demo")).toEqual([true, false]);
    expect(of("shop", "production")).toEqual([true, true]);
    expect(of("bank", "production")).toEqual([false, true]);
    expect(config.forConnection("shop", "demo")).toBe(config.forConnection("shop", "demo"));
  });

  test("that is recording-only is not in the client's view", () => {
    const name = column("public", "customers", "email");
    const masking = maskingOf({
      columns: [{ ...rule, where: "recording-only" }],
      detectors: [detector],
    });
    expect(masking.columnRule(name)?.where).toBe("recording-only");
    expect(masking.clientView).toMatchObject({ hasColumnRules: false, hasDetectors: true });
    expect(masking.clientView.clientView).toBe(masking.clientView);
    expect(masking.clientView.version).toBe(masking.version);
  });
});
