/** `npm run check`: what can be said without running the tests. All of it is run, so that one round tells everything. */
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../..", import.meta.url));

const CHECKS = [
  { name: "types", command: ["node_modules/typescript/bin/tsc", "--build"] },
  { name: "lint and format", command: ["node_modules/@biomejs/biome/bin/biome", "check", "."] },
  { name: "dead code", command: ["node_modules/knip/bin/knip.js"] },
  { name: "the package", command: ["test/toolchain/build.ts", "--types"] },
  // Import boundaries are a test, which needs nothing but the sources.
  {
    name: "house rules",
    command: ["node_modules/vitest/vitest.mjs", "run", "--reporter=dot", "test/tidy.test.ts"],
  },
];

const failed = CHECKS.filter(({ name, command }) => {
  console.log(`> ${name}`);
  return (
    spawnSync(process.execPath, command, { cwd: root, stdio: ["ignore", "inherit", "inherit"] }).status !== 0
  );
});
console.log(
  failed.length === 0 ? "> all checks passed" : `> failed: ${failed.map(({ name }) => name).join(", ")}`,
);
process.exitCode = failed.length === 0 ? 0 : 1;
