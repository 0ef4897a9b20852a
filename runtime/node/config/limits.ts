/** Bounds of the configuration file: see `spec/limits.json`. */

export const CONFIG_BYTES_MAX = 65_536;
/** How long a container waits when nobody says, and at most. */
export const WAIT_SECONDS = 300;
export const WAIT_SECONDS_MAX = 604_800;
