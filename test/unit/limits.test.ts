import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import * as image from "../../runtime/core/image/limits.ts";
import { CALLS_ONLY_MAILBOX_BYTES, MAILBOX_BYTES } from "../../runtime/core/ipc/mailbox.ts";
import { ARGUMENT_BYTES_MAX, ARGUMENTS_BYTES_MAX } from "../../runtime/core/kernel/argument-space.ts";
import { PIPE_ATOMIC_BYTES_MAX, PIPE_BYTES_MAX } from "../../runtime/core/kernel/pipe.ts";
import { PROGRAM_BYTES_MAX } from "../../runtime/core/kernel/program.ts";
import { RECORD_BYTES_MAX } from "../../runtime/core/log/cri.ts";
import * as log from "../../runtime/core/log/limits.ts";
import { OPEN_FILE_BYTES } from "../../runtime/core/quota/open-file-ledger.ts";
import { CONTAINERS_WAITING_MAX } from "../../runtime/core/quota/reservation.ts";
import * as terminal from "../../runtime/core/terminal/limits.ts";
import { INODE_BYTES } from "../../runtime/core/vfs/inode-memory.ts";
import { LOCKS_MAX } from "../../runtime/core/vfs/lock-table.ts";
import { COMPILED_BYTES_MAX, FUNCTION_COST_MAX } from "../../runtime/core/wasm/compile-cost.ts";
import { INSTANCE_HEAP_BYTES_MAX } from "../../runtime/core/wasm/instance-heap.ts";
import { ARRAY_BYTES_MAX } from "../../runtime/core/wasm/interruptible.ts";
import * as choice from "../../runtime/core/wasm/reentry-choice.ts";
import * as engine from "../../runtime/engine/limits.ts";
import * as config from "../../runtime/node/config/limits.ts";
import { REWRITTEN_FILE_BYTES_MAX, REWRITTEN_FILES_MAX } from "../../runtime/node/store/rewritten-modules.ts";

test.each([
  { of: "the engine", limits: engine },
  { of: "images", limits: image },
  { of: "logs", limits: { RECORD_BYTES_MAX, ...log } },
  { of: "pipes and locks", limits: { PIPE_BYTES_MAX, PIPE_ATOMIC_BYTES_MAX, LOCKS_MAX } },
  { of: "terminals", limits: terminal },
  { of: "memory", limits: { OPEN_FILE_BYTES, INODE_BYTES, MAILBOX_BYTES, CALLS_ONLY_MAILBOX_BYTES } },
  { of: "reservations", limits: { CONTAINERS_WAITING_MAX } },
  { of: "objects", limits: { INSTANCE_HEAP_BYTES_MAX, ARRAY_BYTES_MAX } },
  {
    of: "re-entry",
    limits: {
      SMALL_CODE_BYTES_MAX: choice.SMALL_CODE_BYTES_MAX,
      LARGE_FUNCTION_BYTES_MIN: choice.LARGE_FUNCTION_BYTES_MIN,
      LARGE_FUNCTIONS_BYTES_MAX: choice.LARGE_FUNCTIONS_BYTES_MAX,
      REWRITTEN_FILE_BYTES_MAX,
      REWRITTEN_FILES_MAX,
    },
  },
  { of: "functions", limits: { COMPILED_BYTES_MAX, FUNCTION_COST_MAX } },
  { of: "the configuration", limits: config },
  { of: "programs", limits: { PROGRAM_BYTES_MAX, ARGUMENT_BYTES_MAX, ARGUMENTS_BYTES_MAX } },
])("every limit of $of is in spec/limits.json, with its value", ({ limits }) => {
  const file = new URL("../../spec/limits.json", import.meta.url);
  const spec: { limits: { name: string; default: number }[] } = JSON.parse(readFileSync(file, "utf8"));
  for (const [name, value] of Object.entries(limits)) {
    if (name === "PATH_BYTES_MAX" || name === "NAME_BYTES_MAX") continue; // POSIX's own
    expect({ name, value: spec.limits.find((limit) => limit.name === name)?.default }).toEqual({
      name,
      value,
    });
  }
});
