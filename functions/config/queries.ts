import { z } from "zod";
import type { Digest } from "../../core/brand.ts";
import { HISTORY } from "../../core/ports/configuration-store.ts";
import { wholeOr } from "../shared/whole.ts";

/** Longer than the name of any file of a configuration. */
const MAX_NAME = 256;

/** Of its bytes, of the number of its files and of their names `core/config/bundle.ts` judges. */
export const bundleBody = z.strictObject({
  files: z
    .record(z.string().max(MAX_NAME), z.string())
    .meta({ description: "Texts by name, such as `connections.yaml` and `policies/engineers.cedar`." }),
  expected: z
    .string()
    .regex(/^[0-9a-f]{64}$/, "must be a version")
    .transform((text) => text as Digest)
    .optional()
    .meta({ description: "The version that the publisher has seen to be in force: another is a conflict." }),
});

export const versionsQuery = z.strictObject({ limit: wholeOr(50, 1, HISTORY) });
