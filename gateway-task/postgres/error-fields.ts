/** A field of an ErrorResponse or NoticeResponse (§55.8): its one-letter code and its text. */
export interface BackendField {
  readonly code: string;
  readonly value: string;
}

/** The fields of such a message's body, in order. A malformed body yields the fields before the flaw. Never throws. */
export function backendFields(body: Buffer): BackendField[] {
  const fields: BackendField[] = [];
  for (let at = 0; at < body.length && body[at] !== 0;) {
    const end = body.indexOf(0, at + 1);
    if (end < 0) break;
    fields.push({ code: body.toString("latin1", at, at + 1), value: body.toString("utf8", at + 1, end) });
    at = end + 1;
  }
  return fields;
}
