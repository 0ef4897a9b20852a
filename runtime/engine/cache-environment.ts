/** What of the environment a thread of wpod's gets. */

/** Where the bundle keeps compiled code. Nothing else of the environment goes to a guest's thread, or the kernel's. */
export function cacheEnvironment(): NodeJS.ProcessEnv {
  const environment: NodeJS.ProcessEnv = {};
  for (const name of ["WPOD_CODE_CACHE", "XDG_CACHE_HOME", "HOME", "LOCALAPPDATA"]) {
    const value = process.env[name];
    if (value !== undefined) environment[name] = value;
  }
  return environment;
}
