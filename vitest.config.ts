import { availableParallelism } from "node:os";
import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    // Processes, not threads: tests start workers, change directories and send signals.
    pool: "forks",
    // Many tests wait for a process that they started: a second one fills the gap even where cores are few.
    maxWorkers: Math.min(Math.max(availableParallelism(), 2), 8),
    testTimeout: 30_000,
    hookTimeout: 60_000,
    teardownTimeout: 10_000,
    // A test that only waits on a busy machine is not wrong.
    slowTestThreshold: 2_000,
    diff: { truncateThreshold: 200 },
  },
});
