import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import * as limits from "../../../shim/limits.ts";

test("every limit of the shim is in spec/limits.json, with its value", () => {
  const file = new URL("../../../spec/limits.json", import.meta.url);
  const spec: { limits: { name: string; default: number }[] } = JSON.parse(readFileSync(file, "utf8"));
  const values = Object.fromEntries(spec.limits.map((limit) => [limit.name, limit.default]));
  expect(values).toMatchObject({ ...limits });
});
