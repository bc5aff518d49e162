// What the container's health check runs: status 0 while the task takes sessions. The image has no curl.
import { env, exit } from "node:process";

/** Less than the health check's own time-out, which would say nothing of why. */
const ANSWER_WITHIN_MS = 4_000;
const port = env["SALLYPORT_HEALTH_PORT"] || "8080";

try {
  const { ok } = await fetch(`http://127.0.0.1:${port}/health`, { signal: AbortSignal.timeout(ANSWER_WITHIN_MS) });
  exit(ok ? 0 : 1);
} catch {
  exit(1);
}
