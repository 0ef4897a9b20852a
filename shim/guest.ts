/** One guest program, as its system calls see it: its memory, its descriptors, and the runtime under it. */
import { FileType } from "./abi/filetype.ts";
import type { OpenFile, Stat, System } from "./abi/system.ts";
import { Descriptor, INHERITED_RIGHTS, rightsFor } from "./descriptor.ts";
import { type Descriptors, DescriptorTable } from "./descriptor-table.ts";
import { encodeUtf8, GuestMemory } from "./memory.ts";
import { StringList } from "./string-list.ts";

export interface GuestLimits {
  /** How many descriptors may be open; at least what is open at the start. */
  readonly descriptorsMax: number;
  /** The table of a program with threads; `filled` when this isn't its first thread. */
  readonly shared?: { readonly descriptors: Descriptors; readonly filled: boolean } | undefined;
}

export class Guest {
  readonly system: System;
  readonly memory = new GuestMemory();
  readonly descriptors: Descriptors;
  readonly args: StringList;
  readonly environ: StringList;
  /**
   * What unwinds the program: its own end, or a defect of the runtime. WebAssembly can catch it (`catch_all`) and go
   * on, so every further call throws it again, and it is how the program ended whatever `_start` does.
   */
  ended: { readonly thrown: unknown } | undefined;
  /** Filled and read within one call. */
  readonly stat: Stat = {
    device: 0n,
    inode: 0n,
    type: FileType.unknown,
    mode: 0,
    uid: 0,
    gid: 0,
    linkCount: 0,
    sizeBytes: 0,
    atimeNs: 0n,
    mtimeNs: 0n,
    ctimeNs: 0n,
  };

  /**
   * Standard streams are 0 to 2, preopens follow from 3 on. Attach the memory (`guest.memory.attach`) before the first call.
   */
  constructor(system: System, limits: GuestLimits) {
    this.system = system;
    this.args = new StringList(system.args);
    this.environ = new StringList(system.environ);
    if (limits.shared !== undefined) {
      this.descriptors = limits.shared.descriptors;
      if (limits.shared.filled) return;
    } else this.descriptors = ownTable(system, limits.descriptorsMax);
    const [stdin, stdout, stderr] = system.stdio;
    // A terminal is open both ways, as a login leaves it: programs ask and answer on any of the three.
    this.descriptors.add(stream(stdin, true, stdin.terminal !== undefined));
    this.descriptors.add(stream(stdout, stdout.terminal !== undefined, true));
    this.descriptors.add(stream(stderr, stderr.terminal !== undefined, true));
    for (const { name, directory } of system.preopens) {
      const rights = rightsFor(directory.type, true, true);
      this.descriptors.add(new Descriptor(directory, rights, INHERITED_RIGHTS, 0, encodeUtf8(name)));
    }
    if (this.descriptors instanceof DescriptorTable) this.descriptors.openFiles = system.openFiles;
  }

  /** Closes what the program left open. */
  close(): void {
    this.descriptors.closeAll();
  }
}

function ownTable({ stdio, preopens, attention }: System, descriptorsMax: number): DescriptorTable {
  const table = new DescriptorTable(Math.max(descriptorsMax, stdio.length + preopens.length));
  if (attention !== undefined) attention.files = table;
  for (const file of stdio) if (stdio.indexOf(file) !== stdio.lastIndexOf(file)) table.share(file);
  return table;
}

function stream(file: OpenFile, read: boolean, write: boolean): Descriptor {
  return new Descriptor(file, rightsFor(file.type, read, write), 0);
}
