/**
 * What one user's containers may have together, and what each has when nobody says: one file, which most don't have. This is on
 * the path of every `wpod run`; what reads the file is loaded when it is there.
 */
import { existsSync } from "node:fs";
import { homedir } from "node:os";
import { join, resolve } from "node:path";
import { WpodError } from "../../core/error.ts";
import type { ReservationTotals } from "../../core/quota/reservation.ts";
import { isRestricted } from "../host/permission-flags.ts";

/** Of a container whose options don't say; the names are those of its limits. */
export interface ContainerDefaults {
  readonly cpus?: number;
  readonly memoryBytesMax?: number;
  readonly threadsMax?: number;
  readonly diskBytesMax?: number;
}

export interface UserConfig {
  readonly path: string;
  /** Of all containers together. */
  readonly totals: ReservationTotals;
  readonly defaults: ContainerDefaults;
  /** What becomes of a container that doesn't fit. */
  readonly overcommit: "wait" | "refuse";
  /** Who waits is refused after so long. */
  readonly waitMs: number;
}

/**
 * Undefined, without anything loaded: there is no file.
 * @throws WpodError CONFIG_INVALID
 */
export function loadUserConfig(
  environment: NodeJS.ProcessEnv = process.env,
): Promise<UserConfig> | undefined {
  const path = userConfigPath(environment);
  // A process that may read little is granted the file when it is there.
  if (isRestricted() && process.permission?.has("fs.read", path) === false) return undefined;
  if (existsSync(path)) return import("./config-file.ts").then(({ readConfigFile }) => readConfigFile(path));
  if (!environment.WPOD_CONFIG) return undefined;
  throw new WpodError("CONFIG_INVALID", `${path}: no such file, and WPOD_CONFIG names it`, {
    hint: "make the file, or unset WPOD_CONFIG",
  });
}

/** What a process that reads it has to be granted. */
export function userConfigFiles(environment: NodeJS.ProcessEnv): string[] {
  const path = userConfigPath(environment);
  return environment.WPOD_CONFIG || existsSync(path) ? [path] : [];
}

/**
 * `$WPOD_CONFIG`, else `wpod/config.yaml` in the platform's folder for a user's settings.
 * @see https://specifications.freedesktop.org/basedir-spec/latest/
 */
export function userConfigPath(environment: NodeJS.ProcessEnv, platform: string = process.platform): string {
  if (environment.WPOD_CONFIG) return resolve(environment.WPOD_CONFIG);
  const home = environment.HOME || homedir();
  if (platform === "win32") {
    return join(environment.APPDATA || join(homedir(), "AppData", "Roaming"), "wpod", "config.yaml");
  }
  const named = environment.XDG_CONFIG_HOME ?? "";
  // One that is not absolute is to be ignored.
  return join(named.startsWith("/") ? named : join(home, ".config"), "wpod", "config.yaml");
}
