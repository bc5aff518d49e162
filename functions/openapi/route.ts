import { Hono } from "hono";
import document from "../../docs/openapi.json" with { type: "json" };

const TEXT = JSON.stringify(document);

/** The committed description of the API: who may read it need not be signed in. */
export function openApiRoute(): Hono {
  return new Hono().get("/api/openapi.json", (c) =>
    c.body(TEXT, 200, { "Content-Type": "application/json", "Cache-Control": "public, max-age=300" }),
  );
}
