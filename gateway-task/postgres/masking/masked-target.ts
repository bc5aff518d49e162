import type { Channel, ChannelEvents } from "../../channel.ts";
import type { Shown } from "./shown.ts";
import type { StreamMasker } from "./stream-masker.ts";

/** A session's target that shows only what may be seen of it: nothing behind it meets a value that is to be masked. */
export function maskedTarget(target: Channel<"target">, masker: StreamMasker): Channel<"target"> {
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
          if (shown instanceof Promise) return consumeLater(shown, consumer);
          return shown.forward.length === 0 || consumer(shown.forward, shown.recorded);
        },
      });
    },
    end: (lastWord) => target.end(lastWord),
  };
}

async function consumeLater(shown: Promise<Shown>, consumer: ChannelEvents["consumer"]): Promise<void> {
  const { forward, recorded } = await shown;
  if (forward.length > 0) await consumer(forward, recorded);
}
