import { expect, test } from "vitest";
import { ControlBlock, isTerminalSize } from "../../../../runtime/core/terminal/control-block.ts";
import { decodeSettings, SETTINGS_DEFAULT } from "../../../../runtime/core/terminal/settings.ts";

test("what one thread writes the other one reads", () => {
  const host = ControlBlock.create({ columns: 80, rows: 24 });
  const guest = new ControlBlock(host.buffer);
  expect([guest.size, guest.settings, guest.recordLeft]).toEqual([
    { columns: 80, rows: 24 },
    SETTINGS_DEFAULT,
    undefined,
  ]);
  host.resize({ columns: 65_535, rows: 65_535 });
  expect(guest.size).toEqual({ columns: 65_535, rows: 65_535 });
  const rung = host.hostBell.now();
  guest.configure(decodeSettings(0)!);
  expect([host.settingsBits, host.hostBell.now() - rung]).toEqual([0, 1]);
  for (const left of [0, 1, 4096, undefined]) {
    guest.recordLeft = left;
    expect(new ControlBlock(host.buffer).recordLeft).toBe(left);
  }
});

test.each([
  { columns: 0, rows: 0, possible: true },
  { columns: 65_535, rows: 65_535, possible: true },
  { columns: 65_536, rows: 1, possible: false },
  { columns: 1, rows: 65_536, possible: false },
  { columns: -1, rows: 1, possible: false },
  { columns: 1.5, rows: 1, possible: false },
  { columns: Number.NaN, rows: 1, possible: false },
])("$columns x $rows", ({ columns, rows, possible }) => {
  expect(isTerminalSize({ columns, rows })).toBe(possible);
});
