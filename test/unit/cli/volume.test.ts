/** `wpod volume` without an engine: what is printed, and what is refused before one is asked. */
import { expect, test } from "vitest";
import { WpodError } from "../../../runtime/core/error.ts";
import type { VolumeInfo } from "../../../runtime/engine/types.ts";
import { commandLine } from "./context-for-test.ts";

const volume = (name: string, changes: Partial<VolumeInfo> = {}): VolumeInfo => ({
  name,
  createdMs: Date.UTC(2026, 0, 2, 3, 4, 5),
  labels: {},
  options: {},
  anonymous: false,
  path: `/root/volumes/${name}`,
  containers: [],
  ...changes,
});
const KNOWN = [
  volume("data", { labels: { a: "1", b: "2" } }),
  volume("used", { containers: ["c1"] }),
  volume("f00", { anonymous: true }),
];
const engine = {
  volumes: {
    list: async () => KNOWN,
    get: async (name: string) => {
      const found = KNOWN.find((one) => one.name === name);
      if (found === undefined) throw new WpodError("VOLUME_NOT_FOUND", `no volume with name "${name}" found`);
      return found;
    },
    remove: async (name: string) => {
      if (name === "used") throw new WpodError("VOLUME_IN_USE", "volume used is being used");
      if (name === "none") throw new WpodError("VOLUME_NOT_FOUND", "no such volume");
    },
    prune: async ({ filter }: { filter: (one: VolumeInfo) => boolean }) => ({
      removed: KNOWN.filter(filter).map(({ name }) => name),
      reclaimedBytes: 1_500_000,
    }),
  },
};

test.each([
  ["volume ls", "DRIVER    VOLUME NAME\nlocal     data\nlocal     used\nlocal     f00\n"],
  ["volume ls -q", "data\nused\nf00\n"],
  ["volume ls -q --filter dangling=true", "data\nf00\n"],
  ["volume ls -q --filter dangling=false", "used\n"],
  ["volume ls -q -f label=a=1", "data\n"],
  ["volume ls -q -f name=at", "data\n"],
  ["volume list --format {{.Name}}:{{.Mountpoint}} -f name=data", "data:/root/volumes/data\n"],
  [
    "volume ls --format json -f name=f00",
    '{"Availability":"N/A","Driver":"local","Group":"N/A","Labels":"","Links":"N/A","Mountpoint":"/root/volumes/f00","Name":"f00","Scope":"local","Size":"N/A","Status":"N/A"}\n',
  ],
  ["volume inspect --format {{.Labels.b}} data", "2\n"],
  ["volume rm data f00", "data\nf00\n"],
  ["volume rm -f none", ""],
  ["volume prune -f", "Deleted Volumes:\nf00\n\nTotal reclaimed space: 1.5MB\n"],
  ["volume prune -f --all", "Deleted Volumes:\ndata\nf00\n\nTotal reclaimed space: 1.5MB\n"],
  ["volume prune --filter label=x", "No dangling anonymous volumes found\n"],
])("wpod %s", async (line, stdout) => {
  expect(await commandLine(line.split(" "), { engine })).toEqual({ status: 0, stdout, stderr: "" });
});

test("wpod volume inspect", async () => {
  const { status, stdout } = await commandLine(["volume", "inspect", "data"], { engine });
  expect(status).toBe(0);
  expect(JSON.parse(stdout)).toEqual([
    {
      CreatedAt: "2026-01-02T03:04:05.000Z",
      Driver: "local",
      Labels: { a: "1", b: "2" },
      Mountpoint: "/root/volumes/data",
      Name: "data",
      Options: {},
      Scope: "local",
    },
  ]);
});

test.each([
  ["volume rm used", 2, "Error: volume used is being used\n"],
  ["volume rm none", 1, "Error: no such volume\n"],
  ["volume rm used none", 2, "Error: volume used is being used\nError: no such volume\n"],
  ["volume rm", 125, "Error: must specify at least one volume name\n"],
  ["volume inspect none", 125, 'Error: no such volume: "none"\n'],
  ["volume ls --filter x=y", 125, 'Error: "x" is an invalid volume filter\n'],
  [
    "volume create -d nfs x",
    125,
    'Error: volume driver "nfs" is not supported\nwpod keeps volumes itself: --driver local\n',
  ],
  ["volume create a b", 125, "Error: accepts at most 1 arg(s), received 2\n"],
])("wpod %s is refused", async (line, status, stderr) => {
  const printed = await commandLine(line.split(" "), { engine });
  expect({ status: printed.status, stderr: printed.stderr.replace(/\nSee .*|\nTry .*/s, "\n") }).toEqual({
    status,
    stderr,
  });
});
