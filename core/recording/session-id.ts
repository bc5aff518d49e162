import type { SessionId } from "../ports/session-store.ts";

/** RFC 9562 §4, lower case only: one session has one name, and a name is never a path. */
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

/** Whether a text from outside can name a session. */
export function isSessionId(text: string): text is SessionId {
  return UUID.test(text);
}
