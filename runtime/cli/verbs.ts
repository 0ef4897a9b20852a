/** The commands of wpod: a line for each, and where it is. A verb's module is loaded when it is used, and no other. */
import type { CommandSpec } from "./command.ts";
import { command as runCommand } from "./commands/run.ts";

export interface Verb {
  readonly name: string;
  readonly aliases?: readonly string[];
  readonly summary: string;
  /** The same command without its group, by which exit statuses are looked up. Default: its name. */
  readonly of?: string;
  readonly load: () => Promise<{ command: CommandSpec }>;
}

export interface Group {
  readonly name: string;
  readonly summary: string;
  readonly verbs: readonly Verb[];
}

const images = () => import("./commands/images.ts");
const imageInspect = () => import("./commands/image-inspect.ts");
const importImage = () => import("./commands/import.ts");
const info = () => import("./commands/info.ts");
const inspect = () => import("./commands/inspect.ts");
const containerInspect = () => import("./commands/container-inspect.ts");
const load = () => import("./commands/load.ts");
const logs = () => import("./commands/logs.ts");
const metrics = () => import("./commands/metrics.ts");
const ps = () => import("./commands/ps.ts");
const rm = () => import("./commands/rm.ts");
const rmi = () => import("./commands/rmi.ts");
// Not on demand: it is what nearly every start is for, and one file less to find and read.
const run = async () => ({ command: runCommand });
const stats = () => import("./commands/stats.ts");
const tag = () => import("./commands/tag.ts");
const update = () => import("./commands/update.ts");
const version = () => import("./commands/version.ts");
const volumeCreate = () => import("./commands/volume-create.ts");
const volumeInspect = () => import("./commands/volume-inspect.ts");
const volumeLs = () => import("./commands/volume-ls.ts");
const volumePrune = () => import("./commands/volume-prune.ts");
const volumeRm = () => import("./commands/volume-rm.ts");

const RUN = "Run a program of an image in a new container";
const PS = "List containers";
const LOGS = "Print what a container printed";
const RM = "Remove containers";
const STATS = "Show what containers use";
const UPDATE = "Change what containers may use";
const IMAGES = "List images";
const IMPORT = "Make an image from a tar archive or a WebAssembly module";
const LOAD = "Load images from an archive";
const RMI = "Remove images";
const TAG = "Give an image another name";

export const TREE: readonly (Verb | Group)[] = [
  {
    name: "container",
    summary: "Manage containers",
    verbs: [
      { name: "inspect", summary: "Show all that is known of containers", load: containerInspect },
      { name: "logs", summary: LOGS, load: logs },
      { name: "ls", aliases: ["list", "ps"], of: "ps", summary: PS, load: ps },
      { name: "rm", aliases: ["remove"], summary: RM, load: rm },
      { name: "run", summary: RUN, load: run },
      { name: "stats", summary: STATS, load: stats },
      { name: "update", summary: UPDATE, load: update },
    ],
  },
  {
    name: "image",
    summary: "Manage images",
    verbs: [
      { name: "import", summary: IMPORT, load: importImage },
      { name: "inspect", summary: "Show all that is known of images", load: imageInspect },
      { name: "load", summary: LOAD, load },
      { name: "ls", aliases: ["list"], of: "images", summary: IMAGES, load: images },
      { name: "rm", aliases: ["remove"], of: "rmi", summary: RMI, load: rmi },
      { name: "tag", summary: TAG, load: tag },
    ],
  },
  { name: "images", summary: IMAGES, load: images },
  { name: "import", summary: IMPORT, load: importImage },
  { name: "info", summary: "Show where wpod keeps its state, and what is in it", load: info },
  { name: "inspect", summary: "Show all that is known of containers or images", load: inspect },
  { name: "load", summary: LOAD, load },
  { name: "logs", summary: LOGS, load: logs },
  { name: "metrics", summary: "Print what containers use, for Prometheus", load: metrics },
  { name: "ps", summary: PS, load: ps },
  { name: "rm", summary: RM, load: rm },
  { name: "rmi", summary: RMI, load: rmi },
  { name: "run", summary: RUN, load: run },
  { name: "stats", summary: STATS, load: stats },
  { name: "tag", summary: TAG, load: tag },
  { name: "update", summary: UPDATE, load: update },
  { name: "version", summary: "Show the version of wpod", load: version },
  {
    name: "volume",
    summary: "Manage volumes",
    verbs: [
      { name: "create", of: "volume create", summary: "Make a volume", load: volumeCreate },
      { name: "inspect", summary: "Show all that is known of volumes", load: volumeInspect },
      { name: "ls", aliases: ["list"], of: "volume ls", summary: "List volumes", load: volumeLs },
      { name: "prune", of: "volume prune", summary: "Remove volumes that nothing uses", load: volumePrune },
      { name: "rm", aliases: ["remove"], of: "volume rm", summary: "Remove volumes", load: volumeRm },
    ],
  },
];

/** Commands of docker's that come later: known by name. */
export const LATER_VERBS: ReadonlySet<string> = new Set([
  "attach", "build", "builder", "commit", "compose", "cp", "create", "diff", "events", "exec", "export", "generate",
  "healthcheck", "history", "init", "kill", "kube", "login", "logout", "manifest", "network", "pause", "play", "pod",
  "port", "prune", "pull", "push", "rename", "restart", "save", "search", "secret", "serve", "start", "stop",
  "system", "top", "unpause", "untag", "wait",
]); // biome-ignore format: a list of words
