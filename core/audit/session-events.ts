import type { ApprovalEvent, SessionEvent, StatementEvent, VerdictEvent } from "../recording/events.ts";
import { boundedText, flat, words } from "./bounded-text.ts";
import { CONTROLS, type Draft, type OcsfAuthorization, type Severity, type Status } from "./ocsf.ts";
import type { SessionContext } from "./session-context.ts";
import { sshDraft } from "./ssh-session-events.ts";
import { activityOf } from "./statement-activity.ts";

type Of<T extends SessionEvent["type"]> = Extract<SessionEvent, { type: T }>;

/** What a session's event is drafted from, for each class. */
const CONNECT = { datastore: 3, ssh: 1 } as const;
const CLOSE = { datastore: "Disconnect", ssh: 2 } as const;
const REFUSE = { datastore: "Refuse", ssh: 5 } as const;
const HOLD = { datastore: "Hold", ssh: "Hold" } as const;

/** Ends that nobody wished. */
const TROUBLED: Readonly<Record<string, Severity>> = {
  "client-lost": "informational",
  "target-lost": "low",
  refused: "low",
  "pass-revoked": "low",
  "limit-exceeded": "low",
  "protocol-violation": "medium",
  interrupted: "medium",
  "recording-failed": "high",
};

const STATEMENT_STATUS: Readonly<Record<StatementEvent["outcome"], Status>> = {
  completed: "success",
  suspended: "success",
  failed: "failure",
  refused: "failure",
  skipped: "failure",
  unknown: "unknown",
};

/**
 * An event of a recording as an event of OCSF: nothing more than what the recording holds, masked and redacted as it is there.
 * Undefined for what is talk between client and target (notices, notifications, sizes of windows) and stays in the recording.
 */
export function draftOf(event: SessionEvent, context: SessionContext): Draft | undefined {
  switch (event.type) {
    case "session-opened":
      return openedDraft(event, context);
    case "session-closed":
      return closedDraft(event, context);
    case "statement":
      return statementDraft(event, context);
    case "verdict":
      return verdictDraft(event, context);
    case "approval":
      return approvalDraft(event, context);
    case "masked":
      return maskedDraft(event, context);
    case "cancel-requested":
      return simple(context, event.type, "Cancel", "informational", "success", `a cancel came from ${event.from}`);
    case "gap":
      return simple(context, event.type, "Gap", "medium", "failure", event.message, { frames: event.frames });
    case "error":
      return errorDraft(event, context);
    case "notice":
    case "notification":
      return undefined;
    case "channel-opened":
    case "channel-closed":
    case "command-started":
    case "command-ended":
    case "window-changed":
    case "environment":
    case "signal":
    case "file":
    case "forward-listening":
    case "forward-cancelled":
    case "jump":
    case "not-followed":
      return sshDraft(event, context);
  }
}

function simple(
  context: SessionContext,
  code: string,
  activity: number | string,
  severity: Severity,
  status: Status,
  message: string,
  values: Parameters<typeof flat>[0] = {},
): Draft {
  const unmapped = flat(values);
  return {
    class: context.class,
    activity,
    code,
    severity,
    status,
    message: words(message),
    correlation: context.opened.session,
    fields: { ...context.fields, ...(Object.keys(unmapped).length > 0 && { unmapped }) },
  };
}

function openedDraft(event: Of<"session-opened">, context: SessionContext): Draft {
  const { target, unrecordedBy, masking } = event;
  const values = {
    protocol: event.protocol,
    durability: event.durability,
    "target.user": target.user,
    "unrecorded.by": unrecordedBy,
    "masking.version": masking?.version,
    "unmasked.by": masking?.unmaskedBy,
    // Who acted for the principal (RFC 8693 §4.1), by their ids.
    actors: event.principal.actors?.join(" "),
  };
  const severity = unrecordedBy === undefined ? "informational" : "low";
  const message = `${event.principal.name} connected to ${event.connection}`;
  return simple(context, event.type, CONNECT[context.class], severity, "success", message, values);
}

function closedDraft({ type, reason, message }: Of<"session-closed">, context: SessionContext): Draft {
  const severity = TROUBLED[reason];
  const status = severity === undefined || reason === "pass-revoked" ? "success" : "failure";
  const what = message === undefined ? `the session closed: ${reason}` : `the session closed: ${message}`;
  const draft = simple(context, type, CLOSE[context.class], severity ?? "informational", status, what, { reason });
  return { ...draft, fields: { ...draft.fields, status_detail: reason } };
}

function statementDraft(event: StatementEvent, context: SessionContext): Draft {
  const { outcome, sqlstate, message, duration, number, tag } = event;
  const { text, cutFrom } = boundedText(event.text, event.bytes);
  const refused = outcome === "refused";
  const draft = simple(
    context,
    event.type,
    activityOf(event),
    refused ? "low" : "informational",
    STATEMENT_STATUS[outcome],
    `${tag ?? "a statement"}: ${outcome}`,
    {
      number,
      outcome,
      tag,
      rows: event.rows,
      via: event.via,
      redacted: event.redacted,
      // Their values are the recording's alone: in them is what people look for, and whom.
      parameters: event.parameterCount ?? event.parameters?.length,
      "copied.direction": event.copied?.direction,
      "copied.bytes": event.copied?.bytes,
    },
  );
  return {
    ...draft,
    cutFrom,
    fields: {
      ...draft.fields,
      ...(refused && CONTROLS.blocked),
      query_info: {
        uid: String(number),
        query_string: text,
        ...(event.bytes !== undefined && { bytes: event.bytes }),
      },
      start_time: Math.floor(context.opened.startedAt + event.askedAt / 1000),
      ...(duration !== undefined && { duration: Math.round(duration / 1000) }),
      ...(sqlstate !== undefined && { status_code: sqlstate }),
      ...(message !== undefined && { status_detail: words(message) }),
    },
  };
}

function verdictDraft(event: VerdictEvent, context: SessionContext): Draft {
  const blocks = event.kind === "block";
  const activity = blocks ? REFUSE[context.class] : HOLD[context.class];
  const draft = simple(
    context,
    event.type,
    activity,
    blocks ? "medium" : "low",
    blocks ? "failure" : "other",
    event.reason,
    {
      about: event.about,
      verdict: event.kind,
      approval: event.approval,
      digest: event.digest,
      "policy.version": event.policyVersion,
      asks: event.consents?.map(({ group, count }) => `${count} of ${group}`).join(", "),
      "expires.at": event.expiresAt,
    },
  );
  const authorizations = event.policies.map<OcsfAuthorization>((uid) => ({
    decision: event.kind,
    policy: { uid, version: event.policyVersion },
  }));
  const shown = event.shown === undefined ? undefined : boundedText(event.shown);
  const asked = shown !== undefined && context.class === "datastore";
  return {
    ...draft,
    cutFrom: shown?.cutFrom,
    fields: {
      ...draft.fields,
      ...(blocks ? CONTROLS.blocked : CONTROLS.held),
      ...(authorizations.length > 0 && { authorizations }),
      ...(asked && { query_info: { uid: event.digest ?? event.kind, query_string: shown.text } }),
      ...(shown !== undefined && !asked && { unmapped: { ...draft.fields.unmapped, command: shown.text } }),
      status_detail: words(event.reason),
    },
  };
}

function approvalDraft(event: ApprovalEvent, context: SessionContext): Draft {
  const granted = event.outcome === "granted";
  const by = event.by.map(({ id }) => id).join(" ");
  const activity = granted ? "Release" : REFUSE[context.class];
  const message = `what was held is ${event.outcome}`;
  const draft = simple(context, event.type, activity, "low", granted ? "success" : "failure", message, {
    approval: event.approval,
    outcome: event.outcome,
    digest: event.digest,
    by: by === "" ? undefined : by,
  });
  return { ...draft, fields: { ...draft.fields, ...(granted ? CONTROLS.allowed : CONTROLS.rejected) } };
}

function maskedDraft({ type, values }: Of<"masked">, context: SessionContext): Draft {
  const counts = Object.entries(values);
  const total = counts.reduce((sum, [, count]) => sum + count, 0);
  const draft = simple(context, type, "Mask", "informational", "success", `${total} values were masked`, {
    masked: total,
    ...Object.fromEntries(counts.map(([rule, count]) => [`masked.${rule}`, count])),
  });
  return { ...draft, fields: { ...draft.fields, ...CONTROLS.masked } };
}

function errorDraft(event: Of<"error">, context: SessionContext): Draft {
  const draft = simple(context, event.type, "Error", "low", "failure", event.message, { severity: event.severity });
  return { ...draft, fields: { ...draft.fields, ...(event.sqlstate !== "" && { status_code: event.sqlstate }) } };
}
