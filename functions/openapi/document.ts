import { createDocument } from "zod-openapi";
import { APPROVALS_PATHS } from "../approvals/openapi.ts";
import { AUTH_PATHS } from "../auth/openapi.ts";
import { CONFIG_PATHS } from "../config/openapi.ts";
import { REPLAY_PATHS } from "../replay/openapi.ts";
import { operation, type Paths } from "./operation.ts";

const DESCRIPTION = `What the pages and \`sallyport\` ask, for programs. People sign in as their identity provider has them; a program shows
the token of a sign-in by device (RFC 8628). Failures are problems (RFC 9457) with a \`code\` of a closed list.`;

/** Every route for programs, with the schemas that check what is asked, and describe what is answered. */
export const PATHS: Paths = {
  ...AUTH_PATHS,
  ...APPROVALS_PATHS,
  ...REPLAY_PATHS,
  ...CONFIG_PATHS,
  "/api/openapi.json": {
    get: operation({ summary: "This document", open: true, answer: ["application/json", undefined] }),
  },
};

/** OpenAPI 3.1 of all routes for programs, made of the schemas that check requests. `docs/openapi.json` is this, committed. */
export function openApiDocument() {
  return createDocument({
    openapi: "3.1.1",
    info: {
      title: "Sallyport",
      version: "1",
      description: DESCRIPTION,
      license: { name: "Apache-2.0", identifier: "Apache-2.0" },
    },
    servers: [{ url: "/" }],
    security: [{ bearer: [] }, { session: [] }],
    paths: PATHS,
    components: {
      securitySchemes: {
        bearer: { type: "http", scheme: "bearer", description: "Of `POST /auth/token`." },
        session: { type: "apiKey", in: "cookie", name: "__Host-sallyport", description: "A browser's." },
      },
    },
  });
}
