// Imports a bundle as Lambda would, and gives it one event; in a process of its own, so that nothing but the bundle is there.
import { once } from "node:events";

const begun = performance.now();
const [{ file, event, context }] = await once(process, "message");
try {
  const { handler } = await import(file);
  const imported = performance.now();
  const answer = await handler(event, context);
  process.send({ answer: answer ?? null, importMs: imported - begun, answerMs: performance.now() - imported });
} catch (error) {
  process.send({ error: String(error instanceof Error ? error.stack : error) });
}
process.disconnect();
