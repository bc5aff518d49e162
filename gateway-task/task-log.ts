import { type DestinationStream, type Logger, pino } from "pino";
import type { Counters } from "./counters.ts";

/**
 * Where the task writes: at once, since what it says last is what is looked for. What cannot be written is lost and ends nothing: sessions
 * do not hang on the disk or the driver of a log.
 * @param to a file descriptor, standard output as a rule
 */
export function taskOutput(to = 1): ReturnType<typeof pino.destination> {
  const output = pino.destination({ dest: to, sync: true });
  output.on("error", () => {});
  return output;
}

/** pino's number of `error`. */
const ERROR = 50;

/**
 * The task's log: a line of JSON each, with levels by name, as CloudWatch's filters read them; lines that are errors are counted.
 * Whoever logs passes codes and messages of ours, and errors as `err`; nothing of a client's bytes, and no request or environment.
 */
export function taskLog(level: string, counters: Counters, to: DestinationStream): Logger {
  return pino(
    {
      level,
      base: null,
      formatters: { level: (name) => ({ level: name }) },
      hooks: {
        logMethod(given, method, number) {
          if (number >= ERROR) counters.errors++;
          method.apply(this, given);
        },
      },
    },
    to,
  );
}
