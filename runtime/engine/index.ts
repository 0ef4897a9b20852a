/** wpod as a library. */
export { type ErrorCode, WpodError } from "../core/error.ts";
export { Engine } from "./engine.ts";
export type * from "./types.ts";
