/**
 * The Glue table over the audit bucket, as data: `infra/` makes it. Columns are the attributes of OCSF 1.8.0 that we write
 * (`core/audit/ocsf.ts`); a line's other attributes, should there be any of a later version, are not seen.
 */
interface Column {
  readonly name: string;
  /** In Hive's words. */
  readonly type: string;
  readonly comment?: string;
}

export const AUDIT_TABLE = "audit_events";
/** Below it are the partitions, `date=YYYY-MM-DD/`. */
export const AUDIT_PREFIX = "audit/";

const USER = "struct<uid:string,name:string,type_id:int,credential_uid:string,groups:array<struct<name:string>>>";
const ENDPOINT = "struct<ip:string,hostname:string,name:string,port:int,svc_name:string>";
const NAMED = "struct<uid:string,name:string>";

export const AUDIT_COLUMNS: readonly Column[] = [
  { name: "time", type: "bigint", comment: "milliseconds since the Unix epoch" },
  { name: "class_uid", type: "int", comment: "6005 Datastore, 4007 SSH, 3002 Authentication, 6003 API" },
  { name: "class_name", type: "string" },
  { name: "category_uid", type: "int" },
  { name: "category_name", type: "string" },
  { name: "activity_id", type: "int" },
  { name: "activity_name", type: "string" },
  { name: "type_uid", type: "bigint" },
  { name: "type_name", type: "string" },
  { name: "severity_id", type: "int" },
  { name: "severity", type: "string" },
  { name: "status_id", type: "int" },
  { name: "status", type: "string" },
  { name: "status_code", type: "string", comment: "SQLSTATE, exit status, or our error code" },
  { name: "status_detail", type: "string" },
  { name: "message", type: "string" },
  {
    name: "metadata",
    type: "struct<version:string,product:struct<name:string,vendor_name:string>,uid:string,event_code:string,profiles:array<string>,correlation_uid:string,is_truncated:boolean,untruncated_size:bigint>",
    comment: "event_code: what happened, in our words; correlation_uid: the session or the approval",
  },
  { name: "actor", type: `struct<user:${USER},session:struct<uid:string,created_time:bigint>>` },
  { name: "user", type: USER, comment: "who signed in or out" },
  { name: "src_endpoint", type: ENDPOINT },
  { name: "dst_endpoint", type: ENDPOINT, comment: "svc_name: the connection" },
  { name: "service", type: NAMED },
  { name: "database", type: "struct<name:string,type_id:int,type:string>" },
  { name: "query_info", type: "struct<uid:string,query_string:string,bytes:bigint>" },
  { name: "api", type: `struct<operation:string,service:${NAMED}>` },
  { name: "resources", type: "array<struct<uid:string,name:string,type:string>>" },
  {
    name: "file",
    type: "struct<name:string,path:string,type_id:int,hashes:array<struct<algorithm_id:int,algorithm:string,value:string>>>",
  },
  { name: "traffic", type: "struct<bytes:bigint,bytes_in:bigint,bytes_out:bigint>" },
  { name: "auth_protocol", type: "string" },
  { name: "auth_protocol_id", type: "int" },
  { name: "is_remote", type: "boolean" },
  { name: "action", type: "string" },
  { name: "action_id", type: "int" },
  { name: "disposition", type: "string" },
  { name: "disposition_id", type: "int" },
  { name: "authorizations", type: "array<struct<decision:string,policy:struct<uid:string,version:string>>>" },
  { name: "start_time", type: "bigint" },
  { name: "duration", type: "bigint", comment: "milliseconds" },
  {
    name: "unmapped",
    type: "map<string,string>",
    comment: "what OCSF has no attribute for: rows, tag, command, approval, …",
  },
];

export const AUDIT_PARTITION_KEYS: readonly Column[] = [
  { name: "date", type: "string", comment: "of the event, in UTC" },
];

/** Newline-delimited JSON; Athena reads gzip by the name's end. */
export const AUDIT_STORAGE = {
  inputFormat: "org.apache.hadoop.mapred.TextInputFormat",
  outputFormat: "org.apache.hadoop.hive.ql.io.HiveIgnoreKeyTextOutputFormat",
  serializationLibrary: "org.openx.data.jsonserde.JsonSerDe",
  /** A line that is no JSON would be a fault of ours: a query shall fail at it rather than not see it. */
  serdeParameters: { "ignore.malformed.json": "false", "case.insensitive": "false" },
} as const;

/**
 * The table's properties: partitions are computed from the query (partition projection), and never crawled or added.
 * @param firstDay the day of the first deploy or before, `YYYY-MM-DD`
 */
export function auditTableProperties(bucket: string, firstDay: string): Readonly<Record<string, string>> {
  return {
    EXTERNAL: "TRUE",
    classification: "json",
    compressionType: "gzip",
    "projection.enabled": "true",
    "projection.date.type": "date",
    "projection.date.format": "yyyy-MM-dd",
    "projection.date.range": `${firstDay},NOW`,
    "projection.date.interval": "1",
    "projection.date.interval.unit": "DAYS",
    "storage.location.template": `s3://${bucket}/${AUDIT_PREFIX}date=\${date}/`,
  };
}
