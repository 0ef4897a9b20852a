import { describe, expect, test } from "vitest";
import { Bell } from "../../../../runtime/core/ipc/bell.ts";
import { NULL_SINK } from "../../../../runtime/core/kernel/buffer-stream.ts";
import { OpenHandles } from "../../../../runtime/core/kernel/open-handles.ts";
import { StreamFile } from "../../../../runtime/core/kernel/stream.ts";
import { WaitQueue } from "../../../../runtime/core/kernel/wait-queue.ts";

/** Somebody may wait for it, and it tells when it was closed. */
class Pipe extends StreamFile {
  readonly waiting = new WaitQueue();
  closeCount = 0;
  constructor() {
    super(1n, { sink: NULL_SINK });
  }
  override close(): void {
    this.closeCount++;
  }
}

function handlesOf(clientCount: number, countMax = 4) {
  const bell = new Bell();
  const handles = new OpenHandles(bell, countMax);
  for (let client = 0; client < clientCount; client++) handles.join();
  return { bell, handles };
}

describe("open handles", () => {
  test.each([1, 2, 3])("of %d clients are closed by the last to leave", (clientCount) => {
    const { handles } = handlesOf(clientCount);
    const pipe = new Pipe();
    handles.set(0, pipe);
    for (let left = clientCount; left > 0; left--) {
      expect(pipe.closeCount).toBe(0);
      handles.leave();
    }
    expect(pipe.closeCount).toBe(1);
    expect(handles.count).toBe(0);
  });

  test("are full at their bound, and not below it", () => {
    const { handles } = handlesOf(1, 2);
    handles.set(0, new Pipe());
    expect(handles.isFull).toBe(false);
    handles.set(9, new Pipe());
    expect(handles.isFull).toBe(true);
    handles.close(9);
    expect(handles.isFull).toBe(false);
    expect(handles.has(9)).toBe(false);
  });

  test.each([
    { clientCount: 1, rings: 0 },
    { clientCount: 2, rings: 1 },
  ])(
    "closed among $clientCount clients: the bell rings $rings times for who may wait",
    ({ clientCount, rings }) => {
      const { bell, handles } = handlesOf(clientCount);
      const pipe = new Pipe();
      handles.set(3, pipe);
      pipe.waiting.add(bell);
      const before = bell.now();
      handles.close(3);
      handles.close(3);
      expect(pipe.closeCount).toBe(1);
      expect(bell.now() - before).toBe(rings);
      // Nobody waits for what is closed.
      pipe.waiting.wake();
      expect(bell.now() - before).toBe(rings);
    },
  );
});
