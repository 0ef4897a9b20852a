/**
 * What a program has open, as data: its files move to another kernel, and go on there as if nothing had happened. Trees move
 * as snapshots; here is what isn't in them.
 */
import { FileType } from "../../../shim/abi/filetype.ts";
import { isFailure, type OpenFile, type Stat } from "../../../shim/abi/system.ts";
import { assert, WpodError } from "../error.ts";
import type { FilesMemory } from "../quota/files-memory.ts";
import type { Credentials } from "../vfs/credentials.ts";
import type { HeldFile } from "../vfs/dentry.ts";
import { DeviceFile } from "../vfs/device-file.ts";
import { DirectoryFile } from "../vfs/directory-file.ts";
import type { FileSystem } from "../vfs/file-system.ts";
import { MemoryFile } from "../vfs/memory-file.ts";
import { MemoryLink } from "../vfs/memory-link.ts";
import type { MemoryNode } from "../vfs/memory-node.ts";
import type { MountPlace, MountTable } from "../vfs/mount-table.ts";
import { PLAIN } from "../vfs/open-options.ts";
import { TextFile } from "../vfs/text-tree.ts";
import { Pipe, PipeEnd, PipeReader, PipeWriter } from "./pipe.ts";

interface MovedStatus {
  read: boolean;
  write: boolean;
  append: boolean;
  nonblock: boolean;
}

export type MovedFile =
  | {
      kind: "directory";
      place: MountPlace;
      /** Its number, when it has no name any more; `place` is then the directory that it was in. */
      removed: number | undefined;
      credentials: Credentials;
      beneath: boolean;
    }
  | {
      kind: "memory";
      /** Of its file system. */
      device: number;
      inode: number;
      status: MovedStatus;
      position: number;
      readOnlyMount: boolean;
      credentials: Credentials;
    }
  | { kind: "device"; device: number; inode: number; status: MovedStatus; credentials: Credentials }
  | { kind: "host"; file: MovedHostFile }
  | { kind: "text"; bytes: Uint8Array; status: Stat; position: number }
  /** `id`: the same for both ends; `content`: what was written and not read, told with the reading end. */
  | { kind: "pipe"; id: bigint; end: "reader" | "writer"; content: Uint8Array };

/** An open file or directory of the host: the descriptor stays open until the other kernel has its own. */
export interface MovedHostFile {
  mount: number;
  held: HeldFile;
  status: MovedStatus;
  position: number;
  credentials: Credentials;
}

/** What a file of the host's tree, which core doesn't know, says of itself. */
export interface HostMovable {
  describeHost(): Omit<MovedHostFile, "mount"> & { device: bigint };
}

export function isHostMovable(file: object): file is HostMovable {
  return "describeHost" in file;
}

/** Undefined for what doesn't move: streams, which belong to the program's own thread. */
export function describeFile(file: OpenFile, table: MountTable): MovedFile | undefined {
  if (file instanceof DirectoryFile) return describeDirectory(file, table);
  if (file instanceof MemoryFile) {
    const { node, readable, writable, append, nonblock, mount, credentials } = file;
    return {
      kind: "memory",
      device: Number(node.owner.device),
      inode: node.ino,
      status: { read: readable, write: writable, append, nonblock },
      position: file.position,
      readOnlyMount: mount.readOnly,
      credentials,
    };
  }
  if (file instanceof DeviceFile) {
    const { node, readable, writable, append, nonblock } = file;
    return {
      kind: "device",
      device: Number(node.owner.device),
      inode: node.ino,
      status: { read: readable, write: writable, append, nonblock },
      credentials: NOBODY,
    };
  }
  if (file instanceof TextFile) {
    const { bytes, status, position } = file;
    return { kind: "text", bytes, status, position };
  }
  if (file instanceof PipeEnd) {
    const { pipe } = file;
    const isReader = file instanceof PipeReader;
    const content = new Uint8Array(isReader ? pipe.count : 0);
    pipe.peek(content);
    return { kind: "pipe", id: pipe.inode, end: isReader ? "reader" : "writer", content };
  }
  if (isHostMovable(file)) {
    const { device, ...described } = file.describeHost();
    const mount = table.mounts.findIndex(({ root }) => root.tree.device === device);
    return { kind: "host", file: { mount, ...described } };
  }
  return undefined;
}

/** A device asks nobody's credentials once it is found. */
const NOBODY: Credentials = { uid: 0, gid: 0, groups: [], umask: 0 };

function describeDirectory(file: DirectoryFile, table: MountTable): MovedFile {
  const { mount, dentry, credentials, beneath } = file;
  const removed = dentry instanceof MemoryLink && dentry.isRemoved ? dentry : undefined;
  return {
    kind: "directory",
    place: table.placeOf(mount, removed === undefined ? dentry : nearestNamed(removed)),
    removed: removed?.node.ino,
    credentials,
    beneath,
  };
}

/** The directory that a removed one was in, or what that was in. */
function nearestNamed(link: MemoryLink): MemoryLink {
  let at = link;
  while (at.isRemoved && at.parent !== undefined) at = at.parent;
  return at;
}

/** The node behind an open file: it has to be in the snapshot, whatever the tree says of it. */
export function openNode(file: OpenFile): { owner: object; node: MemoryNode } | undefined {
  if (file instanceof MemoryFile) return { owner: file.node.owner, node: file.node };
  if (file instanceof DirectoryFile && file.dentry instanceof MemoryLink && file.dentry.isRemoved) {
    return { owner: file.dentry.tree, node: file.dentry.node };
  }
  return undefined;
}

/** What it takes to open them again: a tree, and what its snapshots held. */
export interface MovedTree {
  readonly table: MountTable;
  readonly fileSystems: readonly FileSystem[];
  /** Nodes that came with a file system, by number. */
  movedNode(device: number, inode: number): MemoryNode | undefined;
  openHost(file: MovedHostFile): OpenFile;
  /** Those of which an end was opened already. */
  readonly pipes: Map<bigint, Pipe>;
  /** What pipes are charged to. */
  readonly memory?: FilesMemory | undefined;
}

export function openMoved(moved: MovedFile, tree: MovedTree): OpenFile {
  switch (moved.kind) {
    case "directory":
      return openDirectory(moved, tree);
    case "memory": {
      const node = tree.movedNode(moved.device, moved.inode);
      assert(node !== undefined, `node ${moved.inode} came along`);
      const mount = { readOnly: moved.readOnlyMount };
      return new MemoryFile(node, { ...PLAIN, ...moved.status }, mount, moved.credentials, moved.position);
    }
    case "device": {
      const fileSystem = tree.fileSystems.find(({ device }) => Number(device) === moved.device);
      const opener = fileSystem?.deviceNode(moved.inode)?.opener;
      const file = opener?.({ ...PLAIN, ...moved.status }, moved.credentials);
      assert(file !== undefined && !isFailure(file), `device ${moved.inode} is there, too`);
      return file;
    }
    case "host":
      return tree.openHost(moved.file);
    case "text":
      return new TextFile(moved.bytes, moved.status, moved.position);
    case "pipe": {
      let pipe = tree.pipes.get(moved.id);
      if (pipe === undefined) {
        pipe = new Pipe();
        // It was charged where it comes from, and that is given back.
        pipe.chargeTo(tree.memory);
        tree.pipes.set(moved.id, pipe);
      }
      if (moved.end === "writer") return new PipeWriter(pipe);
      pipe.put(moved.content);
      return new PipeReader(pipe);
    }
  }
}

/** What the host doesn't give again: descriptors have run out, or the thread that had it has ended meanwhile. */
export function lostFile(what: string, cause?: unknown): WpodError {
  return new WpodError(
    "CONTAINER_STATE",
    `an open ${what} of a bind mount can't be opened for a second program`,
    { cause },
  );
}

function openDirectory(moved: Extract<MovedFile, { kind: "directory" }>, tree: MovedTree): OpenFile {
  const { table } = tree;
  const found = table.at(moved.place);
  if (found === undefined && moved.place.held !== undefined) throw lostFile("directory");
  assert(found !== undefined, `${moved.place.names.join("/")} came along`);
  let { dentry } = found;
  if (moved.removed !== undefined) {
    assert(dentry instanceof MemoryLink, "what was removed was in memory");
    const node = tree.movedNode(Number(dentry.tree.device), moved.removed);
    assert(node?.type === FileType.directory, `directory ${moved.removed} came along`);
    const link = new MemoryLink(dentry.tree, dentry, "", node);
    link.isRemoved = true;
    dentry.release();
    assert(link.hold() === 0, "an open directory can be opened");
    dentry = link;
  }
  return new DirectoryFile(table, found.mount, dentry, moved.credentials, moved.beneath);
}
