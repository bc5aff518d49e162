import { CommanderError } from "commander";
import { asSallyportError, SallyportError } from "../core/errors.ts";
import { EXIT, exitStatusOf } from "./exit-status.ts";
import { printError } from "./output.ts";
import { sallyport } from "./program.ts";

// Whoever reads us may have read enough (`| head`): that is no failure.
process.stdout.on("error", (error: NodeJS.ErrnoException) =>
  process.exit(error.code === "EPIPE" ? EXIT.ok : EXIT.failure),
);

const json = asksForJson(process.argv);

try {
  await sallyport(json).parseAsync();
} catch (thrown) {
  // At once: half of what a failed start began may still be running.
  process.exit(statusOf(thrown));
}

function statusOf(thrown: unknown): number {
  // Help and version are no errors; others commander has told of, unless it was to be quiet.
  if (thrown instanceof CommanderError && thrown.exitCode === 0) return EXIT.ok;
  const error = errorOf(thrown);
  if (json || !(thrown instanceof CommanderError)) printError(process.stderr, error, json);
  if (error.code === "internal") process.stderr.write(`${stackOf(thrown)}\n`);
  return exitStatusOf(error.code);
}

function errorOf(thrown: unknown): SallyportError {
  if (thrown instanceof CommanderError)
    return new SallyportError("bad-request", thrown.message.replace(/^error: /, ""));
  return asSallyportError(thrown, "internal", "something went wrong that should not");
}

/** What stands behind `--` is another program's. */
function asksForJson(argv: readonly string[]): boolean {
  const end = argv.indexOf("--");
  return argv.slice(0, end < 0 ? undefined : end).includes("--json");
}

function stackOf(thrown: unknown): string {
  return thrown instanceof Error ? (thrown.stack ?? thrown.message) : String(thrown);
}
