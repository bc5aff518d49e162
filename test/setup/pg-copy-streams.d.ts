/** What we use of a package that brings no types. */
declare module "pg-copy-streams" {
  import type { Duplex, Readable, Writable } from "node:stream";
  import type { Submittable } from "pg";

  export function from(text: string): Writable & Submittable & { readonly rowCount: number };
  export function to(text: string): Readable & Submittable & { readonly rowCount: number };
  export function both(text: string): Duplex & Submittable;
}
