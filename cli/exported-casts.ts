import { createWriteStream } from "node:fs";
import { rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import type { ChunkStore } from "../core/ports/chunk-store.ts";
import type { SessionId } from "../core/ports/session-store.ts";
import { asciicast } from "../core/recording/asciicast.ts";
import type { SessionOpenedEvent } from "../core/recording/events.ts";
import type { Frame } from "../core/recording/frame.ts";
import { framesOf, readEvents, readSession } from "../core/recording/reader.ts";
import { visible } from "../core/recording/visible.ts";
import { fileChunkStore } from "../local/chunk-store.ts";
import type { Exported } from "./exported-files.ts";
import { PUBLIC_FILE } from "./private-files.ts";

/**
 * Writes each terminal of an exported session as asciicast v3 to `folder/<session>.<channel>.cast`, in place of what was
 * there; answers the files. None for a session without terminals. Throws `recording-corrupt` where its chain is broken.
 */
export async function exportCasts(folder: string, { session }: Exported): Promise<string[]> {
  const store = fileChunkStore(folder);
  const { opened, channels } = await terminalsOf(store, session);
  const files: string[] = [];
  if (opened === undefined) return files;
  for (const channel of channels) {
    const file = join(folder, `${session}.${channel}.cast`);
    const title = visible(`${opened.principal.name} on ${opened.connection}, session ${session}, channel ${channel}`);
    await write(file, asciicast(frames(store, session), channel, { startedAt: opened.startedAt, title }));
    files.push(file);
  }
  return files;
}

interface Terminals {
  readonly opened: SessionOpenedEvent | undefined;
  readonly channels: ReadonlySet<number>;
}

async function terminalsOf(store: ChunkStore, session: SessionId): Promise<Terminals> {
  let opened: SessionOpenedEvent | undefined;
  const channels = new Set<number>();
  for await (const { event } of readEvents(store, session)) {
    if (event.type === "session-opened") opened = event;
    else if (event.type === "command-started" && event.terminal !== undefined && !event.guarded)
      channels.add(event.channel);
  }
  return { opened, channels };
}

async function* frames(store: ChunkStore, session: SessionId): AsyncGenerator<Frame, void> {
  for await (const chunk of readSession(store, session)) yield* framesOf(chunk);
}

/** The file is there when it is whole. */
async function write(file: string, lines: AsyncIterable<string>): Promise<void> {
  const partial = `${file}.partial`;
  try {
    await pipeline(Readable.from(lines), createWriteStream(partial, { mode: PUBLIC_FILE }));
    await rename(partial, file);
  } catch (thrown) {
    await rm(partial, { force: true });
    throw thrown;
  }
}
