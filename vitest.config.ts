import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    testTimeout: 30_000,
    hookTimeout: 60_000,
    // Two cores and real servers: files in parallel only make each other's journeys slow.
    maxWorkers: 2,
  },
});
