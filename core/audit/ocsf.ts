/**
 * Events of the Open Cybersecurity Schema Framework, version 1.8.0 (https://schema.ocsf.io/1.8.0/): the classes that we write, with
 * the attributes that we fill. Names are the schema's own.
 */
const OCSF_VERSION = "1.8.0";

const PRODUCT = { name: "Sallyport", vendor_name: "Sallyport" } as const;

/** What an activity is called that has no id in the schema: its name is ours. */
const OTHER = 99;

/** The classes, with the captions of their activities; `profiles` that their events fill attributes of. */
const CLASSES = {
  datastore: {
    uid: 6005,
    name: "Datastore Activity",
    category: { uid: 6, name: "Application Activity" },
    activities: {
      1: "Read",
      2: "Update",
      3: "Connect",
      4: "Query",
      5: "Write",
      6: "Create",
      7: "Delete",
    },
    profiles: ["security_control"],
  },
  ssh: {
    uid: 4007,
    name: "SSH Activity",
    category: { uid: 4, name: "Network Activity" },
    activities: { 1: "Open", 2: "Close", 3: "Reset", 4: "Fail", 5: "Refuse", 6: "Traffic", 7: "Listen" },
    // `actor` is no attribute of the class itself: it comes with the profile of a host.
    profiles: ["host", "security_control"],
  },
  authentication: {
    uid: 3002,
    name: "Authentication",
    category: { uid: 3, name: "Identity & Access Management" },
    activities: { 1: "Logon", 2: "Logoff", 3: "Authentication Ticket" },
    profiles: [],
  },
  api: {
    uid: 6003,
    name: "API Activity",
    category: { uid: 6, name: "Application Activity" },
    activities: { 1: "Create", 2: "Read", 3: "Update", 4: "Delete" },
    profiles: [],
  },
} as const;

export type OcsfClass = keyof typeof CLASSES;

const SEVERITIES = {
  informational: { id: 1, caption: "Informational" },
  low: { id: 2, caption: "Low" },
  medium: { id: 3, caption: "Medium" },
  high: { id: 4, caption: "High" },
} as const;
export type Severity = keyof typeof SEVERITIES;

const STATUSES = {
  unknown: { id: 0, caption: "Unknown" },
  success: { id: 1, caption: "Success" },
  failure: { id: 2, caption: "Failure" },
  other: { id: OTHER, caption: "Other" },
} as const;
export type Status = keyof typeof STATUSES;

/** What a control did with it (profile `security_control`). */
export const CONTROLS = {
  allowed: { action_id: 1, action: "Allowed", disposition_id: 8, disposition: "Approved" },
  blocked: { action_id: 2, action: "Denied", disposition_id: 2, disposition: "Blocked" },
  held: { action_id: OTHER, action: "Held", disposition_id: 14, disposition: "Delayed" },
  rejected: { action_id: 2, action: "Denied", disposition_id: 25, disposition: "Rejected" },
  masked: { action_id: 4, action: "Modified", disposition_id: 11, disposition: "Corrected" },
} as const;

interface Named {
  readonly uid?: string | undefined;
  readonly name?: string | undefined;
}

export interface OcsfUser extends Named {
  readonly type_id?: number;
  readonly groups?: readonly { readonly name: string }[];
  /** The pass by which the user acts. */
  readonly credential_uid?: string;
}

interface OcsfSession {
  readonly uid: string;
  readonly created_time?: number;
}

export interface OcsfEndpoint {
  readonly ip?: string;
  readonly hostname?: string;
  readonly name?: string;
  readonly port?: number;
  readonly svc_name?: string;
}

export interface OcsfAuthorization {
  readonly decision: string;
  readonly policy: { readonly uid: string; readonly version: string };
}

interface OcsfFile {
  readonly name: string;
  readonly path: string;
  readonly type_id: number;
  readonly hashes?: readonly { readonly algorithm_id: number; readonly algorithm: string; readonly value: string }[];
}

/** Beside what every event has. `unmapped` is flat and of texts, so that a table can hold it in one column. */
export interface OcsfFields {
  readonly actor?: { readonly user?: OcsfUser; readonly session?: OcsfSession };
  readonly user?: OcsfUser;
  readonly src_endpoint?: OcsfEndpoint;
  readonly dst_endpoint?: OcsfEndpoint;
  readonly service?: Named;
  readonly database?: { readonly name: string; readonly type_id: number; readonly type: string };
  readonly query_info?: { readonly uid: string; readonly query_string: string; readonly bytes?: number };
  readonly api?: { readonly operation: string; readonly service?: Named };
  readonly resources?: readonly (Named & { readonly type?: string })[];
  readonly file?: OcsfFile;
  readonly traffic?: { readonly bytes: number; readonly bytes_in: number; readonly bytes_out: number };
  readonly auth_protocol?: string;
  readonly auth_protocol_id?: number;
  readonly is_remote?: boolean;
  readonly action?: string;
  readonly action_id?: number;
  readonly disposition?: string;
  readonly disposition_id?: number;
  readonly authorizations?: readonly OcsfAuthorization[];
  readonly status_code?: string;
  readonly status_detail?: string;
  readonly start_time?: number;
  /** Milliseconds. */
  readonly duration?: number;
  readonly unmapped?: Readonly<Record<string, string>>;
}

export interface OcsfEvent extends OcsfFields {
  readonly class_uid: number;
  readonly class_name: string;
  readonly category_uid: number;
  readonly category_name: string;
  readonly activity_id: number;
  readonly activity_name: string;
  readonly type_uid: number;
  readonly type_name: string;
  readonly severity_id: number;
  readonly severity: string;
  readonly status_id: number;
  readonly status: string;
  /** Milliseconds since the Unix epoch. */
  readonly time: number;
  readonly message: string;
  readonly metadata: {
    readonly version: string;
    readonly product: typeof PRODUCT;
    /** The same for the same event, however often it is derived. */
    readonly uid: string;
    /** What happened, by our own name for it. */
    readonly event_code: string;
    readonly profiles?: readonly string[];
    /** The session, or the approval, that it belongs to. */
    readonly correlation_uid?: string;
    readonly is_truncated?: boolean;
    /** Bytes of the text before it was cut. */
    readonly untruncated_size?: number;
  };
}

/** What happened, before it is written as the schema wants it. */
export interface Draft {
  readonly class: OcsfClass;
  /** An id of the class's activities, or a name of ours where it has none for it. */
  readonly activity: number | string;
  readonly code: string;
  readonly severity: Severity;
  readonly status: Status;
  readonly message: string;
  readonly correlation?: string | undefined;
  /** Its text was cut: bytes of the whole. */
  readonly cutFrom?: number | undefined;
  readonly fields: OcsfFields;
}

/**
 * @param uid  of the event
 * @param time milliseconds since the Unix epoch
 */
export function ocsfEvent(draft: Draft, uid: string, time: number): OcsfEvent {
  const { uid: class_uid, name: class_name, category, activities, profiles } = CLASSES[draft.class];
  const named: Readonly<Record<number, string>> = activities;
  const activity_id = typeof draft.activity === "number" ? draft.activity : OTHER;
  const activity_name = typeof draft.activity === "number" ? (named[draft.activity] ?? "Other") : draft.activity;
  const { id: severity_id, caption: severity } = SEVERITIES[draft.severity];
  const { id: status_id, caption: status } = STATUSES[draft.status];
  return {
    metadata: {
      version: OCSF_VERSION,
      product: PRODUCT,
      uid,
      event_code: draft.code,
      ...(profiles.length > 0 && { profiles }),
      ...(draft.correlation !== undefined && { correlation_uid: draft.correlation }),
      ...(draft.cutFrom !== undefined && { is_truncated: true, untruncated_size: draft.cutFrom }),
    },
    time: Math.floor(time),
    class_uid,
    class_name,
    category_uid: category.uid,
    category_name: category.name,
    activity_id,
    activity_name,
    // The schema computes it so, for "Other" too.
    type_uid: class_uid * 100 + activity_id,
    type_name: `${class_name}: ${activity_id === OTHER ? "Other" : activity_name}`,
    severity_id,
    severity,
    status_id,
    status,
    message: draft.message,
    ...draft.fields,
  };
}
