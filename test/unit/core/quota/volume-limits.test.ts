import { describe, expect, test } from "vitest";
import { parseVolumeLimits } from "../../../../runtime/core/quota/volume-limits.ts";

test.each([
  { options: {}, bytesMax: undefined, inodesMax: undefined },
  { options: { size: "64m" }, bytesMax: 64 << 20, inodesMax: undefined },
  { options: { size: "1", inodes: "1" }, bytesMax: 1, inodesMax: 1 },
])("$options", ({ options, ...limits }) => {
  expect(parseVolumeLimits(options)).toEqual(limits);
});

describe("is refused, with the reason", () => {
  const SIZE = "a size is a number with a unit, such as 64m or 1g";
  const INODES = "inodes are a whole number from 1 on";
  test.each([
    ...["", "0", "-1", "x", "12x", "1e400"].map((value) => ({ name: "size", value, why: SIZE })),
    ...["", "0", "-1", "1k", "1.5", "9007199254740992"].map((value) => ({
      name: "inodes",
      value,
      why: INODES,
    })),
  ])("$name=$value", ({ name, value, why }) => {
    expect(() => parseVolumeLimits({ [name]: value })).toThrow(
      expect.objectContaining({ code: "USAGE", message: `invalid volume option ${name}=${value}: ${why}` }),
    );
  });

  test.each([
    { name: "type", code: "UNSUPPORTED", message: 'the volume option "type" is not supported yet' },
    { name: "device", code: "UNSUPPORTED", message: 'the volume option "device" is not supported yet' },
    { name: "quota", code: "USAGE", message: 'invalid volume option "quota": it is size or inodes' },
    { name: "", code: "USAGE", message: 'invalid volume option "": it is size or inodes' },
  ])("$name", ({ name, code, message }) => {
    expect(() => parseVolumeLimits({ [name]: "tmpfs" })).toThrow(expect.objectContaining({ code, message }));
  });
});
