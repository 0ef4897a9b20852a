import { expect, test } from "vitest";
import { type Ending, exitState } from "../../../runtime/engine/exit-state.ts";

const cases: { name: string; ending: Ending; refused?: boolean; exitCode: number; oomKilled?: boolean }[] = [
  { name: "success", ending: { kind: "exit", status: 0 }, exitCode: 0 },
  { name: "the largest status", ending: { kind: "exit", status: 255 }, exitCode: 255 },
  { name: "a status that wraps", ending: { kind: "exit", status: 256 }, exitCode: 0 },
  { name: "SIGKILL", ending: { kind: "signal", signal: "SIGKILL" }, exitCode: 137 },
  { name: "SIGTERM", ending: { kind: "signal", signal: "SIGTERM" }, exitCode: 143 },
  { name: "SIGINT", ending: { kind: "signal", signal: "SIGINT" }, exitCode: 130 },
  { name: "the time-out", ending: { kind: "timeout" }, exitCode: 137 },
  { name: "a trap", ending: { kind: "trap", message: "unreachable" }, exitCode: 134 },
  { name: "our defect", ending: { kind: "defect", message: "x" }, exitCode: 125 },
  { name: "a heap that is full", ending: { kind: "heap" }, exitCode: 137, oomKilled: true },
  { name: "success after a refusal", ending: { kind: "exit", status: 0 }, refused: true, exitCode: 0 },
  {
    name: "failure after a refusal",
    ending: { kind: "exit", status: 1 },
    refused: true,
    exitCode: 137,
    oomKilled: true,
  },
  {
    name: "a trap after a refusal",
    ending: { kind: "trap", message: "unreachable" },
    refused: true,
    exitCode: 137,
    oomKilled: true,
  },
  {
    name: "abort after a refusal",
    ending: { kind: "signal", signal: "SIGABRT" },
    refused: true,
    exitCode: 137,
    oomKilled: true,
  },
  {
    name: "a user's kill after a refusal",
    ending: { kind: "signal", signal: "SIGTERM" },
    refused: true,
    exitCode: 143,
  },
];

test.each(cases)("$name: $exitCode", ({ ending, refused = false, exitCode, oomKilled = false }) => {
  expect(exitState(ending, refused)).toMatchObject({ exitCode, oomKilled });
});

test("a defect is told in one line, without where it was", () => {
  const ending: Ending = { kind: "defect", message: "it broke\n    at somewhere (file:1:2)" };
  expect(exitState(ending, false).reason).toBe("it broke");
});
