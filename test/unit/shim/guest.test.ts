import { expect, test } from "vitest";
import { StreamFile } from "../../../runtime/core/kernel/stream.ts";
import { Errno } from "../../../shim/abi/errno.ts";
import { Guest } from "../../../shim/guest.ts";
import { CollectingSink, TestGuest } from "./test-guest.ts";

test("one open file as standard output and error is closed with the second of them", () => {
  const { system } = new TestGuest();
  let closeCount = 0;
  const both = new StreamFile(2n, { sink: new CollectingSink() });
  both.close = () => {
    closeCount++;
  };
  const guest = new Guest({ ...system, stdio: [system.stdio[0], both, both] }, { descriptorsMax: 8 });
  expect(guest.descriptors.close(1)).toBe(Errno.ESUCCESS);
  expect(closeCount).toBe(0);
  guest.close();
  expect(closeCount).toBe(1);
});

test("what is open at the start always fits", () => {
  const { guest } = new TestGuest({ descriptorsMax: 1 });
  expect(guest.descriptors.get(3)).toBeDefined();
  expect(guest.descriptors.hasRoom()).toBe(false);
});
