const USER = "struct<uid:string,name:string,type_id:int,groups:array<struct<name:string>>,credential_uid:string>";
const SESSION = "struct<uid:string,created_time:bigint>";
const ENDPOINT = "struct<ip:string,hostname:string,name:string,port:int,svc_name:string>";
const NAMED = "struct<uid:string,name:string>";

/** The attributes of `core/audit/ocsf.ts` as Hive's types; what a newer version adds is not seen until it stands here. */
export const AUDIT_COLUMNS: Readonly<Record<string, string>> = {
  time: "bigint",
  class_uid: "int",
  class_name: "string",
  category_uid: "int",
  category_name: "string",
  activity_id: "int",
  activity_name: "string",
  type_uid: "int",
  type_name: "string",
  severity_id: "int",
  severity: "string",
  status_id: "int",
  status: "string",
  status_code: "string",
  status_detail: "string",
  message: "string",
  metadata:
    "struct<version:string,product:struct<name:string,vendor_name:string>,uid:string,event_code:string,profiles:array<string>,correlation_uid:string,is_truncated:boolean,untruncated_size:bigint>",
  actor: `struct<user:${USER},session:${SESSION},app_name:string>`,
  user: USER,
  session: SESSION,
  src_endpoint: ENDPOINT,
  dst_endpoint: ENDPOINT,
  service: NAMED,
  database: "struct<name:string,type_id:int,type:string>",
  query_info: "struct<uid:string,query_string:string,bytes:bigint>",
  api: `struct<operation:string,service:${NAMED}>`,
  resources: "array<struct<uid:string,name:string,type:string>>",
  file: "struct<name:string,path:string,type_id:int,size:bigint,hashes:array<struct<algorithm_id:int,algorithm:string,value:string>>>",
  traffic: "struct<bytes:bigint,bytes_in:bigint,bytes_out:bigint>",
  auth_protocol: "string",
  auth_protocol_id: "int",
  is_remote: "boolean",
  action: "string",
  action_id: "int",
  disposition: "string",
  disposition_id: "int",
  authorizations: "array<struct<decision:string,policy:struct<uid:string,version:string>>>",
  start_time: "bigint",
  duration: "bigint",
  unmapped: "map<string,string>",
};
