import type { SessionId } from "../../core/ports/session-store.ts";

/** The UUID version 7 of a moment (RFC 9562 §5.7), the same for the same arguments. */
export function sessionIdAt(millis: number, random = 0): SessionId {
  const time = millis.toString(16).padStart(12, "0");
  const tail = random.toString(16).padStart(12, "0");
  return `${time.slice(0, 8)}-${time.slice(8)}-7000-8000-${tail}` as SessionId;
}
