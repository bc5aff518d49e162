import { FLAG_REDACTED, FRAME_KIND } from "../../core/recording/frame.ts";
import { framesOf, readSession } from "../../core/recording/reader.ts";
import { ConnectionReader } from "../../core/ssh/connection-reader.ts";
import type { TestGateway } from "./gateway.ts";

/** All data of the newest session, when it has been closed, as it is recorded that the client was shown it; latin1. */
export async function recordedOutput(gateway: TestGateway): Promise<{ text: string; redacted: boolean }> {
  const { row } = await gateway.lastClosed();
  let text = "";
  let redacted = false;
  const reader = new ConnectionReader({
    message: () => {},
    data: (_recipient, _code, bytes, start, end) => (text += bytes.toString("latin1", start, end)),
    lost: (why) => {
      throw new Error(why);
    },
  });
  for await (const chunk of readSession(gateway.state.chunks, row.id, { seal: row.closing }))
    for (const { kind, payload, micros, flags } of framesOf(chunk)) {
      if (kind !== FRAME_KIND.output) continue;
      redacted ||= (flags & FLAG_REDACTED) !== 0;
      reader.push(payload, micros, flags);
    }
  return { text, redacted };
}
