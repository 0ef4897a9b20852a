import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import {
  decodeSettings,
  encodeSettings,
  SETTINGS_DEFAULT,
  SettingsBits,
} from "../../../../runtime/core/terminal/settings.ts";

test("every number of five bits is a setting, and no other", () => {
  for (let bits = 0; bits < 32; bits++) expect(encodeSettings(decodeSettings(bits)!)).toBe(bits);
  for (const bits of [32, 33, 64, 0x8000_0000, 0xffff_ffff, -1]) expect(decodeSettings(bits)).toBeUndefined();
  expect(encodeSettings(SETTINGS_DEFAULT)).toBe(31);
});

test("the header for C has the same bits by the same names", () => {
  const header = new URL("../../../../shim/extension/wpod_tty.h", import.meta.url);
  const defined = readFileSync(header, "utf8").matchAll(/^#define WPOD_TTY_(\w+) (\d+)u/gm);
  expect(Object.fromEntries([...defined].map(([, name, value]) => [name, Number(value)]))).toEqual(
    SettingsBits,
  );
});
