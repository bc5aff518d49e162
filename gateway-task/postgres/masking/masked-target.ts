import type { Channel, ChannelEvents } from "../../channel.ts";
import { giveBack } from "../../io-buffers.ts";
import { sharesMemory, type Shown } from "./shown.ts";
import type { StreamMasker } from "./stream-masker.ts";

/** How long masked values are counted before they are told. */
const TELL_MS = 60_000;

/**
 * A session's target that shows only what may be seen of it: nothing behind it meets a value that is to be masked.
 * @param tell takes how many values were masked, by rule, from time to time
 */
export function maskedTarget(
  target: Channel<"target">,
  masker: StreamMasker,
  tell: (values: Record<string, number>) => void,
): Channel<"target"> {
  let toldAt = performance.now();
  return {
    send(permit) {
      masker.asked(permit.bytes);
      return target.send(permit);
    },
    get isIdle() {
      return target.isIdle;
    },
    start(events) {
      const { consumer } = events;
      target.start({
        ...events,
        consumer: (bytes) => {
          const shown = masker.push(bytes);
          const now = performance.now();
          if (now - toldAt >= TELL_MS) {
            toldAt = now;
            const values = masker.takeCounts();
            if (values !== undefined) tell(values);
          }
          if (shown instanceof Promise) return consumeLater(shown, consumer);
          return consume(shown, bytes, consumer);
        },
      });
    },
    end: (lastWord) => target.end(lastWord),
  };
}

/** As a consumer of the bytes themselves would: they are done with where what is shown is elsewhere, written or not. */
function consume(shown: Shown, bytes: Buffer, consumer: ChannelEvents["consumer"]): boolean | Promise<void> {
  const { forward, recorded } = shown;
  if (forward.length === 0) return true;
  const result = consumer(forward, recorded);
  if (sharesMemory(shown, bytes)) return result;
  if (result === true) giveBack(forward);
  return result === false || result;
}

async function consumeLater(shown: Promise<Shown>, consumer: ChannelEvents["consumer"]): Promise<void> {
  const { forward, recorded } = await shown;
  if (forward.length > 0) await consumer(forward, recorded);
}
