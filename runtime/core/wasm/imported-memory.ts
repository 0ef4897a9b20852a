/** The memory that a module imports. Nobody has it but the module: it is made for each run, as large as its type says. */
import { WpodError } from "../error.ts";
import { type MemoryType, minimumBytes } from "./memory-type.ts";

/** @throws WpodError MEMORY_LIMIT the host has no room for it */
export function makeMemory(type: MemoryType): WebAssembly.Memory {
  const { minimumPages, maximumPages, shared, memory64 } = type;
  const size = (pages: number) => (memory64 ? BigInt(pages) : pages);
  try {
    return new WebAssembly.Memory({
      initial: size(minimumPages),
      ...(maximumPages === undefined ? {} : { maximum: size(maximumPages) }),
      ...(shared ? { shared } : {}),
      ...(memory64 ? { address: "i64" as const } : {}),
    });
  } catch (error) {
    throw new WpodError(
      "MEMORY_LIMIT",
      `the host has no room for the memory that the module imports: ${minimumBytes(type)} bytes to begin with`,
      { cause: error },
    );
  }
}
