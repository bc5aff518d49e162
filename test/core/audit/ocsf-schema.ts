/**
 * What OCSF 1.8.0 demands and allows of the classes and objects that we write, as its schema states it
 * (https://schema.ocsf.io/1.8.0/): required attributes, all attributes that we may use, constraints, enumerations. The profiles
 * `host` and `security_control` bring attributes of their own.
 */
interface Rules {
  readonly required?: readonly string[];
  /** Space-separated names; whatever else stands in an object is no attribute of the schema. */
  readonly allowed: string;
  readonly atLeastOne?: readonly string[];
}

const BASE =
  "activity_id activity_name category_name category_uid class_name class_uid count duration end_time enrichments message metadata observables raw_data raw_data_hash raw_data_size severity severity_id start_time status status_code status_detail status_id time timezone_offset type_name type_uid unmapped";
const BASE_REQUIRED = ["activity_id", "category_uid", "class_uid", "metadata", "severity_id", "time", "type_uid"];

/** Attributes of events that are there only with a profile. */
const PROFILES: Readonly<Record<string, string>> = {
  host: "actor device",
  security_control:
    "action action_id attacks authorizations confidence confidence_id confidence_score disposition disposition_id firewall_rule is_alert malware malware_scan_info policy risk_details risk_level risk_level_id risk_score",
};

const CLASSES: Readonly<Record<number, Rules & { readonly category: number; readonly activities: readonly number[] }>> =
  {
    6005: {
      category: 6,
      activities: [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 99],
      required: [...BASE_REQUIRED, "actor", "src_endpoint"],
      allowed: `${BASE} actor database databucket dst_endpoint http_request http_response query_info src_endpoint table type type_id`,
      atLeastOne: ["database", "databucket", "table"],
    },
    4007: {
      category: 4,
      activities: [0, 1, 2, 3, 4, 5, 6, 7, 99],
      required: BASE_REQUIRED,
      allowed: `${BASE} app_name app_protocol_name connection_info cumulative_traffic dst_endpoint proxy src_endpoint tls traffic auth_type auth_type_id client_hassh file protocol_ver server_hassh`,
      atLeastOne: ["dst_endpoint", "src_endpoint"],
    },
    3002: {
      category: 3,
      activities: [0, 1, 2, 3, 4, 5, 6, 7, 99],
      required: [...BASE_REQUIRED, "user"],
      allowed: `${BASE} actor http_request http_response src_endpoint auth_factors auth_protocol auth_protocol_id authentication_token certificate dst_endpoint is_cleartext is_mfa is_new_logon is_remote logon_process logon_type logon_type_id service session user`,
      atLeastOne: ["service", "dst_endpoint"],
    },
    6003: {
      category: 6,
      activities: [0, 1, 2, 3, 4, 99],
      required: [...BASE_REQUIRED, "api", "actor", "src_endpoint"],
      allowed: `${BASE} api actor dst_endpoint http_request http_response resources src_endpoint`,
    },
  };

const ENTITY = ["name", "uid"];

/** Objects, by the attribute that holds them. */
const OBJECTS: Readonly<Record<string, Rules>> = {
  metadata: {
    required: ["product", "version"],
    allowed:
      "correlation_uid debug event_code extension extensions is_truncated labels log_format log_level log_name log_provider log_source log_version logged_time loggers modified_time original_event_uid original_time processed_time product profiles reporter sequence source tags tenant_uid transmit_time type uid untruncated_size version",
  },
  product: { allowed: "name uid cpe_name feature lang path url_string vendor_name version", atLeastOne: ENTITY },
  actor: {
    allowed: "app_name app_uid authorizations idp invoked_by process session user",
    atLeastOne: ["process", "user", "invoked_by", "session", "app_name", "app_uid"],
  },
  user: {
    allowed:
      "name uid account credential_uid display_name domain email_addr full_name groups has_mfa org type type_id uid_alt",
    atLeastOne: ["account", "name", "uid"],
  },
  groups: { allowed: "name uid desc domain privileges type uid_alt", atLeastOne: ENTITY },
  session: {
    allowed:
      "count created_time credential_uid expiration_reason expiration_time is_mfa is_remote is_vpn issuer terminal uid uid_alt uuid",
  },
  src_endpoint: {
    allowed: "name uid domain hostname ip port svc_name type type_id zone",
    atLeastOne: ["ip", "uid", "name", "hostname", "svc_name", "domain"],
  },
  dst_endpoint: {
    allowed: "name uid domain hostname ip port svc_name type type_id zone",
    atLeastOne: ["ip", "uid", "name", "hostname", "svc_name", "domain"],
  },
  service: { allowed: "name uid labels tags version", atLeastOne: ENTITY },
  database: {
    required: ["type_id"],
    allowed: "name uid created_time desc groups modified_time size type type_id",
    atLeastOne: ENTITY,
  },
  query_info: {
    required: ["query_string"],
    allowed: "name uid bytes data query_string query_time",
    atLeastOne: ENTITY,
  },
  api: { required: ["operation"], allowed: "group operation request response service token version" },
  resources: {
    allowed: "name uid created_time data labels modified_time owner role role_id tags type uid_alt version",
    atLeastOne: ENTITY,
  },
  file: {
    required: ["name", "type_id"],
    allowed:
      "name uid accessed_time attributes created_time ext hashes mime_type modified_time owner parent_folder path size type type_id",
  },
  hashes: { required: ["algorithm_id", "value"], allowed: "algorithm algorithm_id value" },
  traffic: { allowed: "bytes bytes_in bytes_missed bytes_out chunks packets packets_in packets_out" },
  authorizations: { allowed: "decision policy" },
  policy: { allowed: "name uid data desc group is_applied type version", atLeastOne: ["name", "type", "uid"] },
};

const INTEGERS =
  /^(time|start_time|end_time|created_time|duration|port|bytes|bytes_in|bytes_out|size|untruncated_size|.*_uid|.*_id)$/;
/** `_uid`s that are texts. */
const TEXTS: ReadonlySet<string> = new Set(["credential_uid", "correlation_uid"]);
/** What the client, the target or a rule says, if it says nothing. */
const MAY_BE_EMPTY: ReadonlySet<string> = new Set(["query_string", "message", "path", "status_detail"]);
const ENUMS: Readonly<Record<string, readonly number[]>> = {
  severity_id: [0, 1, 2, 3, 4, 5, 6, 99],
  status_id: [0, 1, 2, 99],
  action_id: [0, 1, 2, 3, 4, 99],
  disposition_id: [...Array.from({ length: 28 }, (_, id) => id), 99],
  algorithm_id: [0, 1, 2, 3, 4, 5, 6, 7, 99],
  auth_protocol_id: [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 99],
};

type Json = Readonly<Record<string, unknown>>;
const isObject = (value: unknown): value is Json =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** What an event, as it was parsed from its line, has that the schema does not want, or lacks: nothing, of a valid one. */
export function faultsOf(event: unknown): string[] {
  if (!isObject(event)) return ["it is no object"];
  const rules = CLASSES[Number(event["class_uid"])];
  if (rules === undefined) return [`class ${String(event["class_uid"])} is none of ours`];
  const metadata = isObject(event["metadata"]) ? event["metadata"] : {};
  const profiles = Array.isArray(metadata["profiles"]) ? metadata["profiles"] : [];
  const brought = profiles.map((profile) => PROFILES[String(profile)] ?? "").join(" ");
  const faults = objectFaults("event", event, { ...rules, allowed: `${rules.allowed} ${brought}` });
  const activity = Number(event["activity_id"]);
  if (event["category_uid"] !== rules.category) faults.push("category_uid is another class's");
  if (!rules.activities.includes(activity)) faults.push(`activity_id ${activity} is none of the class`);
  if (event["type_uid"] !== Number(event["class_uid"]) * 100 + activity)
    faults.push("type_uid is not class_uid * 100 + activity_id");
  if (metadata["version"] !== "1.8.0") faults.push("metadata.version is not the schema's");
  if (typeof metadata["uid"] !== "string" || metadata["uid"] === "") faults.push("metadata.uid is missing");
  return faults;
}

function objectFaults(at: string, object: Json, { required = [], allowed, atLeastOne }: Rules): string[] {
  const names = new Set(allowed.split(" "));
  const faults = required.filter((name) => object[name] === undefined).map((name) => `${at}.${name} is missing`);
  if (atLeastOne !== undefined && !atLeastOne.some((name) => object[name] !== undefined))
    faults.push(`${at} has none of ${atLeastOne.join(", ")}`);
  for (const [name, value] of Object.entries(object)) {
    if (names.has(name)) faults.push(...valueFaults(`${at}.${name}`, name, value));
    else faults.push(`${at}.${name} is no attribute`);
  }
  return faults;
}

function valueFaults(at: string, name: string, value: unknown): string[] {
  if (name === "unmapped")
    return isObject(value) && Object.values(value).every((text) => typeof text === "string")
      ? []
      : [`${at} is not flat and of texts`];
  const rules = OBJECTS[name];
  if (rules !== undefined && Array.isArray(value))
    return value.flatMap((item, n) => (isObject(item) ? objectFaults(`${at}[${n}]`, item, rules) : [`${at}[${n}]`]));
  if (rules !== undefined) return isObject(value) ? objectFaults(at, value, rules) : [`${at} is no object`];
  if (ENUMS[name]?.includes(Number(value)) === false) return [`${at} is not one of the schema's`];
  if (INTEGERS.test(name) && !TEXTS.has(name) && !Number.isSafeInteger(value)) return [`${at} is no integer`];
  return value === null || (value === "" && !MAY_BE_EMPTY.has(name)) ? [`${at} is empty`] : [];
}
