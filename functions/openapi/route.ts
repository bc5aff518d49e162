import { Hono } from "hono";

/** The committed description of the API: who may read it need not be signed in. */
export function openApiRoute(): Hono {
  return new Hono().get("/api/openapi.json", async (c) => {
    // Nobody asks for it to sign in.
    const { default: document } = await import("../../docs/openapi.json", { with: { type: "json" } });
    const headers = { "Content-Type": "application/json", "Cache-Control": "public, max-age=300" };
    return c.body(JSON.stringify(document), 200, headers);
  });
}
