import type { SessionOpening } from "../../core/ports/session-store.ts";
import { sshInterpreter } from "../../gateway-task/ssh/interpreter.ts";
import { event, type FrameSpec, input, openedEvent, output } from "./make-recording.ts";

/** Bytes of one direction of an SSH session; `micros` since its start. */
export interface Crossing {
  readonly by: "client" | "target";
  readonly bytes: Buffer;
  readonly micros: number;
  readonly flags?: number;
}

/** A closed SSH session as the packer stores it, in one chunk: what crossed, and behind it what the interpreter tells of it. */
export function sshFrames(row: SessionOpening, crossings: readonly Crossing[]): FrameSpec[] {
  const target = { host: "web-1.internal", port: 22, user: "deploy" };
  const frames = [event(openedEvent(row, { protocol: "ssh", target, settings: {} }))];
  const interpreter = sshInterpreter((told, micros) => frames.push(event(told, micros)));
  let end = 0;
  for (const { by, bytes, micros, flags = 0 } of crossings) {
    if (by === "client") {
      frames.push(input(bytes, micros, flags));
      interpreter.input(bytes, micros, flags);
    } else {
      frames.push(output(bytes, micros));
      interpreter.output(bytes, micros, flags);
    }
    end = micros;
  }
  interpreter.finish(end);
  return [...frames, event({ type: "session-closed", reason: "client-closed" }, end)];
}
