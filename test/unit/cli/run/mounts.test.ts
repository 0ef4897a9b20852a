import { expect, test } from "vitest";
import { parseMount } from "../../../../runtime/cli/run/mount.ts";
import { parseTmpfs, parseVolume } from "../../../../runtime/cli/run/volume.ts";
import { WpodError } from "../../../../runtime/core/error.ts";

function refusal(act: () => unknown): string {
  try {
    return `taken: ${JSON.stringify(act())}`;
  } catch (error) {
    if (!(error instanceof WpodError)) throw error;
    return `${error.code} ${error.message}`;
  }
}

const VOLUMES = [
  { text: "/a:/b", mount: { source: "/a", target: "/b", readOnly: false } },
  { text: "/a:/b:ro", mount: { source: "/a", target: "/b", readOnly: true } },
  { text: "/a:/b:rw,Z", mount: { source: "/a", target: "/b", readOnly: false } },
  { text: "/a:/b:Z,ro", mount: { source: "/a", target: "/b", readOnly: true } },
  { text: "./a:/b", mount: { source: "/work dir/a", target: "/b", readOnly: false } },
  { text: ".:/b", mount: { source: "/work dir", target: "/b", readOnly: false } },
  { text: "../a:/b", mount: { source: "/a", target: "/b", readOnly: false } },
  { text: "/a b:/c d", mount: { source: "/a b", target: "/c d", readOnly: false } },
  {
    text: String.raw`C:\x:/y`,
    windows: true,
    mount: { source: String.raw`C:\x`, target: "/y", readOnly: false },
  },
  { text: "c:/x y:/y:ro", windows: true, mount: { source: "c:/x y", target: "/y", readOnly: true } },
];

test.each(VOLUMES)("-v $text", ({ text, windows = false, mount }) => {
  expect(parseVolume(text, "/work dir", windows)).toEqual({ type: "bind", ...mount });
});

const NAMED = [
  { text: "name:/b", mount: { source: "name", target: "/b", readOnly: false } },
  { text: "name:/b:ro,nocopy", mount: { source: "name", target: "/b", readOnly: true, noCopy: true } },
  // What is no name is refused by who makes volumes.
  { text: "a/b:/b", mount: { source: "a/b", target: "/b", readOnly: false } },
  { text: "/b", mount: { target: "/b" } },
  // Elsewhere than on Windows a letter names a volume.
  { text: "c:/y", mount: { source: "c", target: "/y", readOnly: false } },
];

test.each(NAMED)("-v $text is a volume", ({ text, mount }) => {
  expect(parseVolume(text, "/", false)).toEqual({ type: "volume", ...mount });
});

const VOLUME_REFUSALS = [
  [":/x", "MOUNT_INVALID host directory cannot be empty"],
  ["/x:", "MOUNT_INVALID container directory cannot be empty"],
  ["", "MOUNT_INVALID container directory cannot be empty"],
  ["/a:/b:/c:/d", "MOUNT_INVALID incorrect volume format, should be host-dir:ctr-dir[:option]: /a:/b:/c:/d"],
  ["/a:/b:exec", 'MOUNT_INVALID -v /a:/b:exec: invalid option "exec", it can be ro or rw'],
  ["/a:/b:", 'MOUNT_INVALID -v /a:/b:: invalid option "", it can be ro or rw'],
  ["/a:/b:ro,rw", "MOUNT_INVALID -v /a:/b:ro,rw: it can't be both ro and rw"],
  ["/a:/b:nocopy", 'MOUNT_INVALID -v /a:/b:nocopy: invalid option "nocopy", it can be ro or rw'],
];

test.each(VOLUME_REFUSALS)("-v %s is refused", (text, message) => {
  expect(refusal(() => parseVolume(text, "/", false))).toBe(message);
});

const MOUNTS = [
  { text: "type=bind,source=/a,target=/b", mount: { type: "bind", source: "/a", target: "/b" } },
  { text: "type=bind,src=/a,dst=/b,ro", mount: { type: "bind", source: "/a", target: "/b", readOnly: true } },
  {
    text: "type=bind,src=/a,destination=/b,readonly=false",
    mount: { type: "bind", source: "/a", target: "/b", readOnly: false },
  },
  { text: 'type=bind,"src=/a,b",dst=/c', mount: { type: "bind", source: "/a,b", target: "/c" } },
  { text: 'type=bind,"src=/a""b",dst=/c', mount: { type: "bind", source: '/a"b', target: "/c" } },
  { text: "type=bind,src=./a,dst=/b", mount: { type: "bind", source: "/w/a", target: "/b" } },
  {
    text: "TYPE=bind,src=/a=b,dst=/b,bind-propagation=rprivate",
    mount: { type: "bind", source: "/a=b", target: "/b" },
  },
  { text: "type=volume,src=v,dst=/b", mount: { type: "volume", source: "v", target: "/b" } },
  { text: "src=v,dst=/b,readonly", mount: { type: "volume", source: "v", target: "/b", readOnly: true } },
  { text: "type=volume,dst=/b,volume-nocopy", mount: { type: "volume", target: "/b", noCopy: true } },
  { text: "type=tmpfs,dst=/t", mount: { type: "tmpfs", target: "/t" } },
  {
    text: "type=tmpfs,dst=/t,tmpfs-size=1m,tmpfs-mode=0700",
    mount: { type: "tmpfs", target: "/t", sizeBytesMax: 1048576, mode: 0o700 },
  },
];

test.each(MOUNTS)("--mount $text", ({ text, mount }) => {
  expect(parseMount(text, "/w", false)).toEqual(mount);
});

const MOUNT_REFUSALS = [
  ["type=bind,src=a,dst=/b", "invalid mount path: 'a' mount path must be absolute"],
  ["type=bind,src=/a,dst=/b,volume-nocopy", "unexpected key 'volume-nocopy' for type bind"],
  ["type=volume,src=a,dst=/b,volume-opt=x", "unexpected key 'volume-opt' for type volume"],
  ["type=bind,src=/a", "target is required"],
  ["type=bind,src=/a,dst=", "target is required"],
  ["type=bind,dst=/b", "source is required for a bind mount"],
  ["type=bind,src=,dst=/b", "source is required for a bind mount"],
  ["type=foo,dst=/b", "invalid mount type 'foo'"],
  ["type=tmpfs,src=/a,dst=/b", "unexpected key 'source' for type tmpfs"],
  ["type=bind,src=/a,dst=/b,tmpfs-size=1m", "unexpected key 'tmpfs-size' for type bind"],
  ["type=bind,src=/a,dst=/b,foo=bar", "unexpected key 'foo' for type bind"],
  ["type=bind,src=/a,dst=/b,readonly=maybe", "invalid value for readonly: maybe"],
  ["type=bind,src=/a,dst=/b,bind-propagation=shared", "bind-propagation=shared is not supported"],
  ["type=bind,oops,dst=/b", "invalid field 'oops' must be a key=value pair"],
  ['type=bind,"src=/a,dst=/b', "its quotes don't match"],
];

test.each(MOUNT_REFUSALS)("--mount %s is refused", (text, why) => {
  expect(refusal(() => parseMount(text, "/", false))).toBe(
    `MOUNT_INVALID invalid argument ${JSON.stringify(text)} for "--mount" flag: ${why}`,
  );
});

test.each([
  ["/t", { target: "/t" }],
  ["/t:size=64k,mode=700", { target: "/t", sizeBytesMax: 65536, mode: 0o700 }],
  ["/t:nr_inodes=10", { target: "/t", inodesMax: 10 }],
  ["/t:nr_inodes=1k,size=1", { target: "/t", inodesMax: 1024, sizeBytesMax: 1 }],
  ["/t:ro,noexec,nosuid,nodev", { target: "/t", readOnly: true }],
])("--tmpfs %s", (text, mount) => {
  expect(parseTmpfs(text)).toEqual({ type: "tmpfs", ...mount });
});

test.each([
  ["/t:bogus", 'MOUNT_INVALID --tmpfs /t:bogus: unknown option "bogus"'],
  ["/t:mode=8", 'MOUNT_INVALID --tmpfs /t:mode=8: invalid mode "8", it is octal: 1777'],
  ["/t:mode=10000", 'MOUNT_INVALID --tmpfs /t:mode=10000: invalid mode "10000", it is octal: 1777'],
  ["/t:size=x", "USAGE invalid size: 'x'"],
  ["/t:size=-1", "USAGE invalid size: '-1'"],
  ...["0", "-1", "x", "1.5", ""].map((text) => [
    `/t:nr_inodes=${text}`,
    `MOUNT_INVALID --tmpfs /t:nr_inodes=${text}: invalid nr_inodes "${text}", it is a number from 1 on`,
  ]),
])("--tmpfs %s is refused", (text, message) => {
  expect(refusal(() => parseTmpfs(text))).toBe(message);
});
