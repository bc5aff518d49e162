import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { parse } from "yaml";
import { SHOP_TABLES } from "../../../cli/shop-schema.ts";
import { maskingOf } from "./kit.ts";

const masking = maskingOf(parse(readFileSync(new URL("../../../config/masking.yaml", import.meta.url), "utf8")));

/** Every column of the demo's shop that a rule masks. */
const MASKED = [
  "addresses.street",
  "customers.card_number",
  "customers.date_of_birth",
  "customers.email",
  "customers.iban",
  "customers.phone",
  "employees.email",
  "employees.salary",
  "employees.ssn",
];

function shopColumns(): string[] {
  return [...SHOP_TABLES.matchAll(/create table (\w+) \(\n([^;]*)\n\);/g)].flatMap(([, table, body]) =>
    [...(body ?? "").matchAll(/^ {2}(?!primary)(\w+) /gm)].map(([, column]) => `${table}.${column}`),
  );
}

describe("config/masking.yaml", () => {
  test("masks the shop's personal data, by column, and nothing that an engineer needs", () => {
    const all = shopColumns();
    expect(all.length).toBeGreaterThan(50);
    const masked = all.filter((name) => {
      const [table, column] = name.split(".") as [string, string];
      return masking.columnRule({ schema: "public", table, column }) !== undefined;
    });
    expect(masked.toSorted()).toEqual(MASKED);
  });

  test("masks the shop's view by its columns' names, and what customers write into free text", () => {
    expect(masking.columnRule({ schema: "public", table: "order_overview", column: "email" })?.name).toBe(
      "email-columns",
    );
    const text = Buffer.from("My card 4242 4242 4242 4242, ring +447700900123 or write to a@example.com, order 4711.");
    const masked = masking.detectInValue(text, 25, 0, () => undefined)?.toString();
    expect(masked).toMatch(
      /^My card \*{4}4242, ring \*{4}0123 or write to [0-9a-f]{16}@masked\.invalid, order 4711\.$/,
    );
  });

  test("shows clients and the record the same", () => {
    expect(masking.clientView).toBe(masking);
  });
});
