/** Where wpod keeps its state when nobody says. */
import { homedir } from "node:os";
import { join, resolve } from "node:path";

/**
 * `$WPOD_ROOT`, else the platform's folder for a user's data.
 * @see https://specifications.freedesktop.org/basedir-spec/latest/
 */
export function defaultRoot(environment: NodeJS.ProcessEnv = process.env): string {
  const named = environment.WPOD_ROOT;
  if (named !== undefined && named !== "") return resolve(named);
  switch (process.platform) {
    case "win32":
      return join(environment.LOCALAPPDATA ?? join(homedir(), "AppData", "Local"), "wpod");
    case "darwin":
      return join(homedir(), "Library", "Application Support", "wpod");
    default:
      return join(environment.XDG_DATA_HOME || join(homedir(), ".local", "share"), "wpod");
  }
}
