/**
 * Recognises programs of other systems by their first bytes, and what they were built for: so that a person who ran the wrong
 * image is told what is in it. Names are those of OCI platforms (Go's GOOS and GOARCH).
 */

export interface NativeProgram {
  readonly kind: "elf" | "mach-o" | "pe";
  /** undefined where the file doesn't say. */
  readonly os: string | undefined;
  readonly architecture: string | undefined;
}

export function recogniseNativeProgram(bytes: Uint8Array): NativeProgram | undefined {
  if (bytes.length < 4) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return elf(view) ?? machO(view) ?? portableExecutable(view);
}

/** e_machine, with the class where it matters. @see man 5 elf */
const ELF_ARCHITECTURES = new Map<number, readonly [narrow: string, wide: string]>([
  [3, ["386", "386"]],
  [8, ["mips", "mips64"]],
  [20, ["ppc", "ppc64"]],
  [21, ["ppc64", "ppc64"]],
  [22, ["s390", "s390x"]],
  [40, ["arm", "arm"]],
  [62, ["amd64", "amd64"]],
  [183, ["arm64", "arm64"]],
  [243, ["riscv", "riscv64"]],
  [258, ["loong64", "loong64"]],
]);
/** Of the two byte orders, the one that has an ending in its name. */
const ELF_LITTLE_ENDIAN_SUFFIX = new Set(["mips", "mips64", "ppc64"]);

/** Most programs for Linux say System V (0). */
const ELF_SYSTEMS = new Map([
  [0, "linux"],
  [2, "netbsd"],
  [3, "linux"],
  [6, "solaris"],
  [9, "freebsd"],
  [12, "openbsd"],
]);

function elf(view: DataView): NativeProgram | undefined {
  if (view.getUint32(0) !== 0x7f454c46) return undefined;
  if (view.byteLength < 20) return { kind: "elf", os: undefined, architecture: undefined };
  const wide = view.getUint8(4) === 2;
  const littleEndian = view.getUint8(5) === 1;
  const [narrowName, wideName] = ELF_ARCHITECTURES.get(view.getUint16(18, littleEndian)) ?? [];
  const name = wide ? wideName : narrowName;
  const suffixed = name !== undefined && littleEndian && ELF_LITTLE_ENDIAN_SUFFIX.has(name);
  return { kind: "elf", os: ELF_SYSTEMS.get(view.getUint8(7)), architecture: suffixed ? `${name}le` : name };
}

const MACH_O_ARCHITECTURES = new Map([
  [7, "386"],
  [0x0100_0007, "amd64"],
  [12, "arm"],
  [0x0100_000c, "arm64"],
]);

/** @see mach-o/loader.h and mach-o/fat.h in Apple's xnu and cctools */
function machO(view: DataView): NativeProgram | undefined {
  const magic = view.getUint32(0);
  if (view.byteLength < 8) return undefined;
  const found = (architecture: string | undefined): NativeProgram => ({
    kind: "mach-o",
    os: "darwin",
    architecture,
  });
  if (magic === 0xcffaedfe || magic === 0xcefaedfe)
    return found(MACH_O_ARCHITECTURES.get(view.getUint32(4, true)));
  if (magic === 0xfeedfacf || magic === 0xfeedface) return found(MACH_O_ARCHITECTURES.get(view.getUint32(4)));
  // Several architectures in one file. Java's class files begin the same way, with a version of 45 or more behind it.
  if (magic === 0xcafebabe && view.getUint32(4) < 45) return found(undefined);
  return undefined;
}

const PE_ARCHITECTURES = new Map([
  [0x014c, "386"],
  [0x01c4, "arm"],
  [0x8664, "amd64"],
  [0xaa64, "arm64"],
]);

/** @see https://learn.microsoft.com/windows/win32/debug/pe-format */
function portableExecutable(view: DataView): NativeProgram | undefined {
  if (view.getUint16(0) !== 0x4d5a || view.byteLength < 0x40) return undefined;
  const header = view.getUint32(0x3c, true);
  if (header + 6 > view.byteLength || view.getUint32(header) !== 0x50450000) return undefined;
  return { kind: "pe", os: "windows", architecture: PE_ARCHITECTURES.get(view.getUint16(header + 4, true)) };
}
