import { z } from "zod";
import { operation, type Paths, time } from "../openapi/operation.ts";
import { bundleBody, versionsQuery } from "./queries.ts";

const version = z
  .strictObject({
    version: z.string().meta({ description: "SHA-256 of its files." }),
    by: z.string().meta({ description: "Who published it." }),
    at: time,
  })
  .meta({ id: "ConfigurationVersion" });

/** Configurations, for administrators. */
export const CONFIG_PATHS: Paths = {
  "/api/config": {
    post: operation({
      summary: "Publish a configuration",
      description: "All of its files at once: it is valid as a whole, or changes nothing.",
      body: bundleBody,
      status: "201",
      answer: version,
      errors: ["conflict"],
    }),
  },
  "/api/config/versions": {
    get: operation({
      summary: "What was published, newest first",
      query: versionsQuery,
      answer: z.strictObject({ versions: z.array(version) }),
    }),
  },
};
