import { describe, expect, test } from "vitest";
import { MemoryBudget } from "../../../../runtime/core/quota/memory-budget.ts";
import { OPEN_FILE_BYTES, OpenFileLedger } from "../../../../runtime/core/quota/open-file-ledger.ts";
import { Errno } from "../../../../shim/abi/errno.ts";
import { FileType } from "../../../../shim/abi/filetype.ts";
import { Descriptor, rightsFor } from "../../../../shim/descriptor.ts";
import { DescriptorTable } from "../../../../shim/descriptor-table.ts";
import { TestGuest } from "../../shim/test-guest.ts";

const PLENTY = MemoryBudget.create(1 << 30);
const { ESUCCESS: OK, ENFILE, ENOMEM } = Errno;

describe("the open files of a container", () => {
  test("are those of all its programs, and what one had is free at its end", () => {
    const first = OpenFileLedger.create(3, PLENTY);
    const second = first.another();
    expect([first.take(), second.take(), second.take(), first.take()]).toEqual([OK, OK, OK, ENFILE]);
    expect(first.refusal).toBe(ENFILE);
    second.close();
    expect([first.take(), first.take(), first.take()]).toEqual([OK, OK, ENFILE]);
    first.give();
    expect([second.take(), second.refusal]).toEqual([OK, ENFILE]);
  });

  test("cost it memory, which is there again when they are closed or their program has ended", () => {
    const budget = MemoryBudget.create(3 * OPEN_FILE_BYTES);
    const first = OpenFileLedger.create(10, budget);
    const second = first.another();
    expect([first.take(), second.take(), second.take(), first.take()]).toEqual([OK, OK, OK, ENOMEM]);
    expect([first.refusal, budget.freeBytes]).toEqual([ENOMEM, 0]);
    second.close();
    expect([first.refusal, budget.freeBytes]).toEqual([OK, 2 * OPEN_FILE_BYTES]);
    first.give();
    expect(budget.usedBytes).toBe(0);
    const full = OpenFileLedger.create(0, budget);
    expect([full.take(), budget.usedBytes]).toEqual([ENFILE, 0]);
  });
});

describe("a table of descriptors", () => {
  const file = () => {
    const { stdio } = new TestGuest().system;
    return new Descriptor(stdio[0], rightsFor(FileType.regularFile, true, false), 0);
  };

  test("tells what there isn't room in: itself, or its container", () => {
    const ledger = OpenFileLedger.create(2, PLENTY);
    const table = new DescriptorTable(4);
    expect(table.add(file())).toBe(0); // found open: not counted
    table.openFiles = ledger;
    expect([table.add(file()), table.add(file())]).toEqual([1, 2]);
    expect([table.refusal(), table.add(file())]).toEqual([Errno.ENFILE, -Errno.ENFILE]);
    expect(table.close(0)).toBe(Errno.ESUCCESS);
    expect(table.refusal()).toBe(Errno.ENFILE);
    expect(table.close(1)).toBe(Errno.ESUCCESS);
    expect([table.refusal(), table.add(file()), table.refusal()]).toEqual([0, 0, Errno.ENFILE]);
    ledger.give();
    ledger.give();
    expect([table.add(file()), table.add(file())]).toEqual([1, 3]);
    expect([table.refusal(), table.add(file())]).toEqual([Errno.EMFILE, -Errno.EMFILE]);
  });

  test("counts what is renumbered once", () => {
    const ledger = OpenFileLedger.create(2, PLENTY);
    const table = new DescriptorTable(8);
    table.openFiles = ledger;
    table.add(file());
    table.add(file());
    expect(table.renumber(0, 1)).toBe(Errno.ESUCCESS);
    expect(ledger.refusal).toBe(OK);
    table.closeAll();
    expect([ledger.take(), ledger.take(), ledger.take()]).toEqual([OK, OK, ENFILE]);
  });
});
