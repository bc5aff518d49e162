import { FLAG_REDACTED, FRAME_KIND, type FrameKind } from "../../core/recording/frame.ts";
import { framesOf, readSession } from "../../core/recording/reader.ts";
import { ConnectionReader } from "../../core/ssh/connection-reader.ts";
import type { TestGateway } from "./gateway.ts";

interface Recorded {
  /** All data of one direction, one message's behind the other's; latin1. */
  readonly text: string;
  readonly redacted: boolean;
}

/** What the newest session's client was shown, as it is recorded, when the session has been closed. */
export async function recordedOutput(gateway: TestGateway): Promise<Recorded> {
  return recorded(gateway, FRAME_KIND.output);
}

/** And what it sent. */
export async function recordedInput(gateway: TestGateway): Promise<Recorded> {
  return recorded(gateway, FRAME_KIND.input);
}

async function recorded(gateway: TestGateway, direction: FrameKind): Promise<Recorded> {
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
      if (kind !== direction) continue;
      redacted ||= (flags & FLAG_REDACTED) !== 0;
      reader.push(payload, micros, flags);
    }
  return { text, redacted };
}
