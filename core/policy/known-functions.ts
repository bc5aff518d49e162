import type { PgAction } from "./actions.ts";

const names = (list: string): ReadonlySet<string> => new Set(list.split(/\s+/).filter(Boolean));

const FILE = names(`
  pg_read_file pg_read_file_old pg_read_binary_file pg_stat_file pg_ls_dir pg_ls_logdir pg_ls_waldir pg_ls_tmpdir
  pg_ls_archive_statusdir pg_ls_logicalmapdir pg_ls_logicalsnapdir pg_ls_replslotdir pg_ls_summariesdir
  pg_file_length pg_file_read pg_file_rename pg_file_sync pg_file_unlink pg_file_write pg_logdir_ls
  pg_hba_file_rules pg_ident_file_mappings pg_show_all_file_settings`);
const LARGE_OBJECT = /^(?:lo_[a-z0-9_]+|loread|lowrite)$/;
/** Also of extensions that speak HTTP or S3: what the server may send anywhere. */
const REMOTE =
  /^(?:dblink(?:_[a-z_]+)?|postgres_fdw_[a-z_]+|http(?:_[a-z_]+)?|table_import_from_s3|query_export_to_s3)$/;
const SYSTEM = names(`
  pg_reload_conf pg_rotate_logfile pg_rotate_logfile_old pg_logfile_rotate pg_promote pg_switch_wal pg_create_restore_point
  pg_backup_start pg_backup_stop pg_start_backup pg_stop_backup pg_wal_replay_pause pg_wal_replay_resume
  pg_create_physical_replication_slot pg_create_logical_replication_slot pg_copy_physical_replication_slot
  pg_copy_logical_replication_slot pg_drop_replication_slot pg_replication_slot_advance pg_sync_replication_slots
  pg_logical_slot_get_changes pg_logical_slot_peek_changes pg_logical_slot_get_binary_changes
  pg_logical_slot_peek_binary_changes pg_logical_emit_message pg_replication_origin_create pg_replication_origin_drop
  pg_replication_origin_advance pg_replication_origin_session_setup pg_replication_origin_xact_setup
  pg_import_system_collations pg_log_standby_snapshot`);
const LOCK = /^pg_(?:try_)?advisory_(?:xact_)?lock(?:_shared)?$|^pg_advisory_unlock(?:_shared|_all)?$/;

/** Those that run SQL from a text, and which of their arguments that is. */
const RUNS_TEXT: ReadonlyMap<string, number> = new Map([
  ["query_to_xml", 0],
  ["query_to_xmlschema", 0],
  ["query_to_xml_and_xmlschema", 0],
  ["ts_stat", 0],
  ["ts_rewrite", 1],
  ["crosstab", 0],
  ["crosstab2", 0],
  ["crosstab3", 0],
  ["crosstab4", 0],
  ["crosstab_hash", 0],
]);
/** Those that read or run what their text does not name. */
const RUNS_ANYTHING = names(`
  table_to_xml table_to_xmlschema table_to_xml_and_xmlschema schema_to_xml schema_to_xmlschema schema_to_xml_and_xmlschema
  database_to_xml database_to_xmlschema database_to_xml_and_xmlschema cursor_to_xml cursor_to_xmlschema connectby xpath_table`);
/** Of extensions that run SQL later, or elsewhere. */
const RUNS_ANYTHING_SCHEMAS = names("cron aws_lambda dblink pg_background");

/** Every operator of pg_operator in a new database of PostgreSQL 18, and `!=`, which the parser turns into `<>`. */
export const BUILT_IN_OPERATORS = names(`
  !! !~ !~* !~~ !~~* # ## #- #> #>> % & && &< &<| &> * *< *<= *<> *= *> *>= + - -> ->> -|- / < <-> << <<= <<| <= <> <@ <^ = >
  >= >> >>= >^ ? ?# ?& ?- ?-| ?| ?|| @ @-@ @> @? @@ @@@ ^ ^@ | |&> |/ |>> || ||/ ~ ~* ~<=~ ~<~ ~= ~>=~ ~>~ ~~ ~~*`);

/** What calling a function does beyond computing; `name` is as `functions` lists it. */
export function functionActions(name: string): readonly PgAction[] {
  const dot = name.lastIndexOf(".");
  const bare = name.slice(dot + 1);
  const actions: PgAction[] = [];
  if (FILE.has(bare)) actions.push("pg:file");
  if (LARGE_OBJECT.test(bare)) actions.push("pg:largeObject");
  if (REMOTE.test(bare)) actions.push("pg:dblink");
  if (SYSTEM.has(bare)) actions.push("pg:system");
  if (LOCK.test(bare)) actions.push("pg:lock");
  if (bare === "pg_notify") actions.push("pg:notify");
  if (bare === "set_config") actions.push("pg:set");
  if (RUNS_ANYTHING.has(bare) || RUNS_ANYTHING_SCHEMAS.has(name.slice(0, Math.max(dot, 0)))) actions.push("pg:do");
  return actions;
}

const READS_FILES = new Set(["pg_file_settings", "pg_hba_file_rules", "pg_ident_file_mappings"]);

/** What touching a table of the system's does beyond that; `name` is as `tables` lists it. */
export function tableActions(name: string): readonly PgAction[] {
  if (name === "pg_largeobject" || name === "pg_largeobject_metadata") return ["pg:largeObject"];
  return READS_FILES.has(name) ? ["pg:file"] : [];
}

/** Which argument a function runs as SQL, if it is one that does. */
export function runsArgument(name: string): number | undefined {
  return RUNS_TEXT.get(name.slice(name.lastIndexOf(".") + 1));
}
