import { RE2JS } from "re2js";
import { z } from "zod";
import { columnPattern } from "./column-pattern.ts";

export const BUILT_IN_DETECTORS = [
  "email",
  "card",
  "iban",
  "us-ssn",
  "phone",
  "jwt",
  "aws-key",
  "private-key",
  "bearer-token",
] as const;

/** A pattern is compiled for every connection, and tried on every value that its literal is in. */
const MAX_PATTERN = 1_000;
const MAX_RULES = 500;

const name = z.string().regex(/^[a-z0-9][a-z0-9_-]{0,62}$/, "lower-case letters, digits, - and _; at most 63");
const style = z.enum(["full", "partial", "hash", "null", "format-preserving"]);
const columns = z
  .array(
    z
      .string()
      .max(200)
      .refine(
        (text) => columnPattern(text) !== undefined,
        "must be table.column or schema.table.column, with * for any",
      ),
  )
  .min(1)
  .max(MAX_RULES);

const scope = {
  name,
  style,
  /** `recording-only`: the client sees the value, the record does not keep it. */
  where: z.enum(["client+recording", "recording-only"]).default("client+recording"),
  /** Where it applies; left out: everywhere. */
  connections: z.array(z.string().min(1).max(63)).min(1).optional(),
  environments: z.array(z.string().min(1).max(64)).min(1).optional(),
};

const columnRule = z
  .strictObject({
    ...scope,
    columns: columns.optional(),
    tags: z.array(name).min(1).optional(),
    except: columns.optional(),
  })
  .refine((rule) => rule.columns !== undefined || rule.tags !== undefined, "names no column: give columns, or tags");

const re2 = z
  .string()
  .min(1)
  .max(MAX_PATTERN)
  .superRefine((pattern, context) => {
    const fault = re2Fault(pattern);
    if (fault !== undefined) context.addIssue({ code: "custom", message: fault });
  });

const detectorRule = z.discriminatedUnion("detect", [
  z.strictObject({ ...scope, detect: z.enum(BUILT_IN_DETECTORS) }),
  z.strictObject({
    ...scope,
    detect: z.literal("custom"),
    /** RE2's syntax: no back references, no look-around, time linear in the value. */
    pattern: re2,
    /** A value is tried only where it contains this text, byte for byte: that is what makes a pattern fast. */
    contains: z.string().min(1).max(100),
  }),
]);

export const maskingFile = z
  .strictObject({
    /** Lists of columns by name, for rules to speak of. */
    tags: z.record(name, columns).default({}),
    columns: z.array(columnRule).max(MAX_RULES).default([]),
    detectors: z.array(detectorRule).max(MAX_RULES).default([]),
  })
  .superRefine((file, context) => {
    const names = new Set<string>();
    for (const list of ["columns", "detectors"] as const)
      for (const [index, rule] of file[list].entries()) {
        if (names.has(rule.name))
          context.addIssue({
            code: "custom",
            path: [list, index, "name"],
            message: `another rule is named ${rule.name}`,
          });
        names.add(rule.name);
      }
    for (const [index, rule] of file.columns.entries())
      for (const tag of rule.tags ?? [])
        if (!Object.hasOwn(file.tags, tag))
          context.addIssue({ code: "custom", path: ["columns", index, "tags"], message: `there is no tag ${tag}` });
  });

export type MaskingFile = z.infer<typeof maskingFile>;
export type ColumnRule = MaskingFile["columns"][number];
export type DetectorRule = MaskingFile["detectors"][number];
export type BuiltInDetector = (typeof BUILT_IN_DETECTORS)[number];

function re2Fault(pattern: string): string | undefined {
  try {
    return RE2JS.compile(pattern).matcher("").find() ? "it matches the empty text" : undefined;
  } catch (error) {
    return `not an RE2 pattern: ${(error as Error).message}`;
  }
}
