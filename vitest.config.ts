import { defineConfig } from "vitest/config";
import { leftOutReporter } from "./test/setup/left-out.ts";

export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    // What did not run for want of a program is said in the last lines.
    reporters: ["default", leftOutReporter()],
    testTimeout: 30_000,
    hookTimeout: 60_000,
    // Two cores and real servers: files in parallel only make each other's journeys slow.
    maxWorkers: 2,
  },
});
