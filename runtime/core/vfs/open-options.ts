/** How a file is opened that is there already, when nothing else is said: neither to read nor to write. */
import type { OpenOptions } from "../../../shim/abi/system.ts";

export const PLAIN: OpenOptions = {
  read: false,
  write: false,
  append: false,
  create: false,
  exclusive: false,
  truncate: false,
  directory: false,
  nonblock: false,
  followLast: true,
  mode: 0,
};
