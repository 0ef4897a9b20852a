/** The flags of `run`: those that work, and all others of docker's, each with what it waits for. */
import type { Flag } from "./flag.ts";
import { LIMIT_FLAGS } from "./limit-flags.ts";

const DETACHED = "containers run in the foreground until there is a host process for detached ones";
const NETWORK = "containers have no network yet";
const CPU = "CPU time is limited by --cpus and --cpu-shares";
const DISK_WEIGHT = "reading and writing has limits (--device-read-bps and its kin), and no weights";
const HEALTH = "health checks come with detached containers";
const KERNEL = "it sets what a Linux kernel gives, and a guest of wpod has none";
const VOLUMES = "volumes are named one by one: -v NAME:/path";
const NAMESPACES = "containers share nothing with the host or each other yet";

function later(kind: Flag["kind"], reason: string, longs: readonly string[]): Flag[] {
  return longs.map((long) => ({ long, kind, help: "", later: reason }));
}

export const RUN_FLAGS: readonly Flag[] = [
  ...LIMIT_FLAGS,
  { long: "add-host", kind: "list", value: "host:ip", help: "Add a line to /etc/hosts" },
  { long: "annotation", kind: "list", value: "key=value", help: "Add an annotation" },
  {
    long: "attach",
    short: "a",
    kind: "list",
    value: "stream",
    help: "Join only these streams to the container: stdin, stdout, stderr",
  },
  { long: "cidfile", kind: "text", value: "file", help: "Write the container's id to a file" },
  { long: "entrypoint", kind: "text", value: "program", help: "Run this in place of the image's ENTRYPOINT" },
  {
    long: "env",
    short: "e",
    kind: "list",
    value: "name=value",
    help: "Set an environment variable; NAME alone passes on your own",
  },
  { long: "env-file", kind: "list", value: "file", help: "Read environment variables from a file" },
  { long: "hostname", short: "h", kind: "text", value: "name", help: "Set the container's host name" },
  {
    long: "isolation",
    kind: "text",
    value: "technology",
    default: "default",
    help: "default: threads of this process; process: another one, which may open only the container's files",
  },
  { long: "interactive", short: "i", kind: "switch", help: "Pass standard input on to the container" },
  { long: "label", short: "l", kind: "list", value: "key=value", help: "Add a label" },
  { long: "label-file", kind: "list", value: "file", help: "Read labels from a file, one a line" },
  {
    long: "log-driver",
    kind: "text",
    value: "driver",
    default: "k8s-file",
    help: "Where its output is kept: k8s-file, none",
  },
  {
    long: "log-opt",
    kind: "list",
    value: "option",
    help: "Limit its log: max-size=10m, max-file=3, max-rate=64m, mode=blocking|non-blocking",
  },
  {
    long: "mount",
    kind: "list",
    value: "mount",
    help: "Add a mount: type=bind|volume|tmpfs,source=SOURCE,target=PATH[,readonly]",
  },
  { long: "name", kind: "text", value: "name", help: "Give the container a name" },
  { long: "network", kind: "text", value: "mode", default: "none", help: "Connect to a network: none" },
  { long: "net", kind: "text", help: "", hidden: true },
  { long: "platform", kind: "text", value: "os/arch", help: "Take this platform of the image" },
  {
    long: "pull",
    kind: "text",
    value: "policy",
    default: "missing",
    help: "Fetch the image: missing, never",
  },
  { long: "read-only", kind: "switch", help: "Let the container change none of its image's files" },
  { long: "rm", kind: "switch", help: "Remove the container when it has ended" },
  { long: "rmi", kind: "switch", help: "Remove the image too, when nothing else uses it; implies --rm" },
  {
    long: "unsetenv-all",
    kind: "switch",
    help: "Leave out the image's environment and the defaults (PATH, HOME, HOSTNAME, container)",
  },
  { long: "stop-signal", kind: "text", value: "signal", help: "Signal that asks the container to end" },
  {
    long: "timeout",
    kind: "unsigned",
    value: "seconds",
    default: "0",
    help: "Kill the container after this time; 0 is never",
  },
  { long: "tmpfs", kind: "list", value: "path[:options]", help: "Mount an empty directory, held in memory" },
  { long: "tty", short: "t", kind: "switch", help: "Give the container a terminal" },
  {
    long: "ulimit",
    kind: "list",
    value: "name=number",
    help: "Limit each program: nofile, fsize, locks; or all of them: nproc, cpu",
  },
  {
    long: "user",
    short: "u",
    kind: "text",
    value: "user[:group]",
    help: "Run as this user: a name of the image's, or a number",
  },
  {
    long: "volume",
    short: "v",
    kind: "list",
    value: "source:path[:ro]",
    help: "Mount a file or directory of the host, or a volume by its name",
  },
  {
    long: "workdir",
    short: "w",
    kind: "text",
    value: "path",
    help: "Start in this directory of the container",
  },

  { long: "detach", short: "d", kind: "switch", help: "", later: DETACHED },
  { long: "publish", short: "p", kind: "list", help: "", later: NETWORK },
  { long: "publish-all", short: "P", kind: "switch", help: "", later: NETWORK },
  { long: "quiet", short: "q", kind: "switch", help: "", hidden: true },
  { long: "restart", kind: "text", help: "", later: DETACHED, unless: "no" },
  {
    long: "sig-proxy",
    kind: "switch",
    help: "",
    later: "signals always reach the container",
    unless: "true",
  },
  { long: "no-healthcheck", kind: "switch", help: "", later: HEALTH, unless: "true" },
  {
    long: "disable-content-trust",
    kind: "switch",
    help: "",
    later: "names of images are not signed",
    unless: "true",
  },
  ...later("text", DETACHED, ["detach-keys", "stop-timeout"]),
  ...later("text", CPU, [
    "cpu-count",
    "cpu-percent",
    "cpu-rt-period",
    "cpu-rt-runtime",
    "cpuset-cpus",
    "cpuset-mems",
  ]),
  ...later("list", DISK_WEIGHT, ["blkio-weight-device"]),
  ...later("text", DISK_WEIGHT, ["blkio-weight", "io-maxbandwidth", "io-maxiops"]),
  ...later("list", NETWORK, [
    "dns",
    "dns-option",
    "dns-search",
    "expose",
    "link",
    "link-local-ip",
    "network-alias",
  ]),
  ...later("text", NETWORK, ["domainname", "ip", "ip6", "mac-address"]),
  ...later("text", HEALTH, [
    "health-cmd",
    "health-interval",
    "health-retries",
    "health-start-interval",
    "health-start-period",
    "health-timeout",
  ]),
  ...later("list", KERNEL, [
    "cap-add",
    "cap-drop",
    "device",
    "device-cgroup-rule",
    "group-add",
    "security-opt",
    "sysctl",
  ]),
  ...later("text", KERNEL, [
    "cgroup-parent",
    "cgroupns",
    "gpus",
    "kernel-memory",
    "oom-score-adj",
    "runtime",
    "shm-size",
  ]),
  ...later("switch", KERNEL, ["init", "oom-kill-disable", "privileged", "use-api-socket"]),
  ...later("text", NAMESPACES, ["ipc", "pid", "userns", "uts"]),
  ...later("list", VOLUMES, ["volumes-from"]),
  ...later("text", VOLUMES, ["volume-driver"]),
];
