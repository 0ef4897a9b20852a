/** Of the bundle (`code-cache.ts`): keeps what V8 compiled for the next start, where that is missing. Undefined when run from sources. */
export const keepCode = (globalThis as Record<symbol, unknown>)[Symbol.for("wpod.keepCode")] as
  | (() => void)
  | undefined;
