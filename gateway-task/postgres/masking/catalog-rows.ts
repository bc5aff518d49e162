import { z } from "zod";
import { SallyportError } from "../../../core/errors.ts";
import { readExactly } from "../../read-exactly.ts";
import { message } from "../answers.ts";
import { backendFields } from "../error-fields.ts";
import { MESSAGE_HEADER_BYTES } from "../messages.ts";
import type { TargetSocket } from "../target.ts";
import { MAX_DEFINITION } from "./mentions.ts";

/** A catalog larger than this is not held: some hundred thousand columns. */
const MAX_ANSWER_BYTES = 256 << 20;

/**
 * Five results of one row and one column each. Names come qualified, since nothing is on the search path; the server's own
 * schemas have views and functions too, but those read no user's table.
 */
const QUESTIONS = `
set client_encoding = 'UTF8'; set search_path = '';
select coalesce(json_agg(json_build_array(c.oid::bigint, n.nspname, c.relname, c.relkind, a.columns)), '[]')
  from pg_class c join pg_namespace n on n.oid = c.relnamespace
  cross join lateral (
    select coalesce(json_agg(json_build_array(a.attnum, a.attname, a.atttypid::bigint, a.attgenerated <> '')
                             order by a.attnum), '[]') as columns
      from pg_attribute a where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped) a
 where c.relkind in ('r', 'p', 'v', 'm', 'f');
select coalesce(json_agg(json_build_array(c.oid::bigint, pg_get_viewdef(c.oid))), '[]')
  from pg_class c join pg_namespace n on n.oid = c.relnamespace
 where c.relkind in ('v', 'm') and n.nspname not in ('pg_catalog', 'information_schema');
select coalesce(json_agg(json_build_array(i.inhrelid::bigint, i.inhparent::bigint)), '[]')
  from pg_inherits i join pg_class c on c.oid = i.inhrelid and c.relkind in ('r', 'p', 'f');
select coalesce(json_agg(json_build_array(p.proname, left(pg_get_functiondef(p.oid), ${MAX_DEFINITION}))), '[]')
  from pg_proc p join pg_namespace n on n.oid = p.pronamespace join pg_language l on l.oid = p.prolang
 where p.prokind in ('f', 'p', 'w') and l.lanname not in ('c', 'internal')
   and n.nspname not in ('pg_catalog', 'information_schema');
select coalesce(json_agg(json_build_array(t.oid::bigint, t.typtype, t.typcategory, t.typbasetype::bigint,
                                          t.typelem::bigint)), '[]')
  from pg_type t where t.oid >= 16384`;

const oid = z.number().int();
const answers = z.tuple([
  z.array(z.tuple([oid, z.string(), z.string(), z.string(), z.array(z.tuple([oid, z.string(), oid, z.boolean()]))])),
  z.array(z.tuple([oid, z.string().nullable()])),
  z.array(z.tuple([oid, oid])),
  z.array(z.tuple([z.string(), z.string().nullable()])),
  z.array(z.tuple([oid, z.string(), z.string(), oid, oid])),
]);

/** What a target's catalog says: relations with their columns, views, inheritance, functions, types. */
export type CatalogRows = z.infer<typeof answers>;

/** Asks a target, logged in and ready, for its catalog. Rejects with `target-refused`, `target-lost`, or the signal's reason. */
export async function readCatalog({ socket }: TargetSocket, signal: AbortSignal): Promise<CatalogRows> {
  socket.write(message("Q", Buffer.from(`${QUESTIONS}\0`)));
  const results: unknown[] = [];
  for (let total = 0; ;) {
    const head = await readExactly(socket, MESSAGE_HEADER_BYTES, signal).catch(lost(signal));
    const length = head.readUInt32BE(1) - 4;
    total += length;
    if (length < 0 || total > MAX_ANSWER_BYTES)
      throw new SallyportError("limit-exceeded", "the target's catalog is too large to be masked by");
    const body = length === 0 ? Buffer.alloc(0) : await readExactly(socket, length, signal).catch(lost(signal));
    const tag = String.fromCharCode(head[0] ?? 0);
    if (tag === "D" && body.length >= 6) results.push(JSON.parse(body.toString("utf8", 6)));
    if (tag === "E") throw refused(body);
    if (tag !== "Z") continue;
    const parsed = answers.safeParse(results);
    if (parsed.success) return parsed.data;
    throw new SallyportError("target-refused", "the target's catalog is not what was expected", {
      cause: parsed.error,
    });
  }
}

function lost(signal: AbortSignal): (cause: unknown) => never {
  return (cause) => {
    signal.throwIfAborted();
    throw new SallyportError("target-lost", "the target was lost while it was asked for its catalog", { cause });
  };
}

function refused(body: Buffer): SallyportError {
  const text = backendFields(body).find(({ code }) => code === "M")?.value ?? "no reason given";
  return new SallyportError("target-refused", `the target does not tell its catalog: ${text}`);
}
