import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { Errno } from "../../../../shim/abi/errno.ts";

test("errno numbers are WASI's", () => {
  const file = new URL("../../../../spec/wasi-preview1/errno.json", import.meta.url);
  expect(Errno).toEqual(JSON.parse(readFileSync(file, "utf8")));
});
