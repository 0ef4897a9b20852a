import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { WpodError } from "../../../../runtime/core/error.ts";
import { openIndex } from "../../../../runtime/core/image/binary-index.ts";
import { LayerIndexBuilder } from "../../../../runtime/core/image/index-builder.ts";
import type { TarEntry } from "../../../../runtime/core/image/tar.ts";
import { indexOf, listIndex, pathsOf } from "../../../fixtures/image-index.ts";
import { pax, type RawEntry, rawTar } from "../../../fixtures/image-tar.ts";

const LONG = process.env.WPOD_TEST_LONG === "1" ? 50 : 1;
const file = (path: string, content = ""): RawEntry => ({ path, content });
const directory = (path: string, mode = 0o755): RawEntry => ({ path, type: "5", mode });
const symlink = (path: string, link: string): RawEntry => ({ path, type: "2", link });
const hardLink = (path: string, link: string): RawEntry => ({ path, type: "1", link });
const index = (...entries: RawEntry[]) => indexOf(rawTar(entries));

describe("paths", () => {
  const cases: { name: string; entries: RawEntry[]; paths: string[] }[] = [
    {
      name: "absolute ones start at the layer's root",
      entries: [file("/etc/passwd")],
      paths: ["etc", "etc/passwd"],
    },
    { name: "dots and double slashes are dropped", entries: [file("./a/.//b")], paths: ["a", "a/b"] },
    { name: "a step back inside the layer is taken", entries: [file("a/../b")], paths: ["b"] },
    { name: "a file may end in a slash", entries: [file("a/")], paths: ["a"] },
    {
      name: "255 bytes a name",
      entries: [pax([["path", `${"é".repeat(127)}x`]]), file("x")],
      paths: [`${"é".repeat(127)}x`],
    },
    {
      name: "a link on the way is followed inside the layer",
      entries: [directory("real/"), symlink("alias", "real"), file("alias/f")],
      paths: ["alias", "real", "real/f"],
    },
    {
      name: "an absolute link starts at the layer's root",
      entries: [symlink("d/alias", "/etc"), file("d/alias/passwd")],
      paths: ["d", "d/alias", "etc", "etc/passwd"],
    },
    {
      name: "a link that climbs stays at the root",
      entries: [symlink("alias", "../../../../etc"), file("alias/passwd")],
      paths: ["alias", "etc", "etc/passwd"],
    },
    {
      name: "a link to a link",
      entries: [symlink("a", "b"), symlink("b", "c"), file("a/f")],
      paths: ["a", "b", "c", "c/f"],
    },
    {
      name: "the last link is not followed, but replaced",
      entries: [symlink("a", "/etc/passwd"), file("a")],
      paths: ["a"],
    },
    {
      name: "a directory replaces a link",
      entries: [symlink("a", "b"), directory("a/"), file("a/f")],
      paths: ["a", "a/f"],
    },
    { name: "a file replaces a directory and all in it", entries: [file("a/b/c"), file("a")], paths: ["a"] },
    {
      name: "a directory replaces a file",
      entries: [file("a"), directory("a/"), file("a/b")],
      paths: ["a", "a/b"],
    },
    {
      name: "a directory that comes again keeps its files",
      entries: [file("a/b"), directory("a/")],
      paths: ["a", "a/b"],
    },
    {
      name: "what aufs left is skipped",
      entries: [directory(".wh..wh.plnk/"), file(".wh..wh.aufs"), directory(".wh..wh.orph/"), file("a")],
      paths: ["a"],
    },
  ];
  test.each(cases)("$name", ({ entries, paths }) => {
    expect(pathsOf(index(...entries))).toEqual(paths);
  });

  const refused: { name: string; entries: RawEntry[]; message: RegExp }[] = [
    { name: "a step over the root", entries: [file("../a")], message: /leads out of the layer/ },
    {
      name: "a step over the root from below",
      entries: [file("a/../../b")],
      message: /leads out of the layer/,
    },
    { name: "a step over an absolute root", entries: [file("/../a")], message: /leads out of the layer/ },
    { name: "the root as a file", entries: [file("./")], message: /root, but not a directory/ },
    { name: "the parent as a directory", entries: [directory("..")], message: /leads out of the layer/ },
    {
      name: "a path under a file",
      entries: [file("a"), file("a/b")],
      message: /lies under "a", which is not a directory/,
    },
    {
      name: "a loop of links",
      entries: [symlink("a", "b"), symlink("b", "a"), file("a/f")],
      message: /loop of symbolic links/,
    },
    {
      name: "a link into itself",
      entries: [symlink("a", "a/b"), file("a/f")],
      message: /loop of symbolic links/,
    },
    { name: "a link to nothing", entries: [symlink("a", "")], message: /link to nothing/ },
    {
      name: "256 bytes a name",
      entries: [pax([["path", "é".repeat(128)]]), file("x")],
      message: /over 255 bytes/,
    },
    {
      name: "a path of 4096 bytes",
      entries: [{ type: "L", content: "a/".repeat(2048) }, file("x")],
      message: /too long a path/,
    },
    { name: "a path under a whiteout", entries: [file("a/.wh.b/c")], message: /under a whiteout/ },
    {
      name: "a path under a whiteout behind a link",
      entries: [symlink("l", ".wh.b"), file("l/c")],
      message: /under a whiteout/,
    },
  ];
  test.each(refused)("refuses $name", ({ entries, message }) => {
    expect(() => index(...entries)).toThrow(
      expect.objectContaining({ code: "IMAGE_INVALID", message: expect.stringMatching(message) }),
    );
  });

  test("40 links on the way are followed, 41 are not", () => {
    const chain = (count: number) =>
      Array.from({ length: count }, (_, at) => symlink(`l${at}`, `l${at + 1}`));
    expect(pathsOf(index(...chain(40), file("l0/f")))).toContain("l40/f");
    expect(() => index(...chain(41), file("l0/f"))).toThrow(/loop of symbolic links/);
  });

  test("a parent without a header is implied, until its header comes", () => {
    const implied = listIndex(index(file("a/b"))).get("a");
    expect(implied).toMatchObject({ type: "directory", mode: 0o755, implied: true, uid: 0 });
    const later = listIndex(index(file("a/b"), directory("a", 0o700))).get("a");
    expect(later).toMatchObject({ mode: 0o700, implied: false });
  });

  test("the root is only there when the tar has it", () => {
    expect(index(file("a")).root()).toBeUndefined();
    const own = index(directory("./", 0o711), file("a"));
    expect(own.root()).toMatchObject({ type: "directory", mode: 0o711, implied: false });
    expect(own.children("").map((entry) => entry.name)).toEqual(["a"]);
  });
});

describe("hard links", () => {
  const inodes = (...entries: RawEntry[]) => {
    const list = listIndex(index(...entries));
    return (path: string) => {
      const entry = list.get(path);
      if (entry === undefined) throw new Error(`${path} is in the layer`);
      return entry;
    };
  };

  const cases: { name: string; entries: RawEntry[]; names: string[]; links?: number }[] = [
    { name: "backward", entries: [file("a", "x"), hardLink("b", "a")], names: ["a", "b"] },
    { name: "forward", entries: [hardLink("b", "a"), file("a", "x")], names: ["a", "b"] },
    {
      name: "forward through a link",
      entries: [hardLink("c", "b"), hardLink("b", "a"), file("a", "x")],
      names: ["a", "b", "c"],
    },
    {
      name: "across directories",
      entries: [file("d/e/a", "x"), hardLink("f/b", "/d/e/a"), hardLink("f/c", "./f/b")],
      names: ["d/e/a", "f/b", "f/c"],
    },
    {
      name: "through a directory's link",
      entries: [file("d/a", "x"), symlink("l", "d"), hardLink("b", "l/a")],
      names: ["d/a", "b"],
    },
    {
      name: "to itself, as GNU tar writes a name given twice",
      entries: [file("a", "x"), hardLink("b", "a"), hardLink("a", "a")],
      names: ["a", "b"],
    },
  ];
  test.each(cases)("$name", ({ entries, names }) => {
    const at = inodes(...entries);
    const [first] = names as [string];
    for (const name of names) {
      expect(at(name)).toMatchObject({
        type: "file",
        sizeBytes: 1,
        inode: at(first).inode,
        linkCount: names.length,
      });
    }
  });

  test("to a symlink: the link is linked, not what it points to", () => {
    const at = inodes(file("a", "x"), symlink("s", "a"), hardLink("t", "s"));
    expect(at("t")).toMatchObject({ type: "symlink", target: "a", linkCount: 2, inode: at("s").inode });
    expect(at("a").linkCount).toBe(1);
  });

  test("the target's name may go away", () => {
    const at = inodes(file("a", "x"), hardLink("b", "a"), file("a", "yy"));
    expect(at("b")).toMatchObject({ sizeBytes: 1, linkCount: 1 });
    expect(at("a")).toMatchObject({ sizeBytes: 2, linkCount: 1 });
  });

  test("a late link that was replaced doesn't come back", () => {
    expect(inodes(hardLink("b", "a"), file("b", "yy"), file("a", "x"))("b").sizeBytes).toBe(2);
  });

  test("into what aufs kept aside", () => {
    const at = inodes(
      file(".wh..wh.plnk/1.2", "xyz"),
      hardLink("a", ".wh..wh.plnk/1.2"),
      hardLink("b", "/.wh..wh.plnk/1.2"),
    );
    expect(at("a")).toMatchObject({ sizeBytes: 3, linkCount: 2, inode: at("b").inode });
  });

  test.each([
    {
      name: "to what is missing",
      entries: [hardLink("b", "a")],
      message: '"b" is a hard link to "a", which is not in the layer',
    },
    {
      name: "to each other",
      entries: [hardLink("b", "a"), hardLink("a", "b")],
      message: "which is not in the layer",
    },
    { name: "to nobody but itself", entries: [hardLink("a", "a")], message: "which is not in the layer" },
    {
      name: "to a directory",
      entries: [directory("d/"), hardLink("a", "d")],
      message: "hard link to a directory",
    },
    { name: "to the root", entries: [hardLink("a", "/")], message: "hard link to a directory" },
    {
      name: "out of the layer",
      entries: [hardLink("a", "../../etc/shadow")],
      message: "leads out of the layer",
    },
    { name: "to nothing", entries: [hardLink("a", "")], message: "link to nothing" },
  ])("$name is refused", ({ entries, message }) => {
    expect(() => index(...entries)).toThrow(message);
  });

  test("through a link that climbs stays in the layer", () => {
    expect(() => index(symlink("l", "../../../etc"), hardLink("a", "l/shadow"))).toThrow(
      "which is not in the layer",
    );
  });

  test("a hundred thousand links forward to each other are settled at once", () => {
    const builder = new LayerIndexBuilder();
    const base: TarEntry = {
      type: "hard-link",
      path: "",
      linkPath: "",
      mode: 0,
      uid: 0,
      gid: 0,
      mtimeNs: 0n,
      sizeBytes: 0,
      storedBytes: 0,
      offsetBytes: 0,
      pieces: undefined,
      deviceMajor: 0,
      deviceMinor: 0,
    };
    const count = 100_000;
    for (let at = 0; at < count; at++) builder.add({ ...base, path: `l${at}`, linkPath: `l${at + 1}` });
    builder.add({ ...base, type: "file", path: `l${count}` });
    expect(openIndex(builder.finish(0)).children("")[0]?.linkCount).toBe(count + 1);
  });
});

describe("whiteouts", () => {
  test("hide names of lower layers, and are no entries", () => {
    const layer = index(file("d/.wh.gone"), file("d/.wh..wh..opq"), file(".wh.top"), file("d/kept"));
    expect(pathsOf(layer)).toEqual(["d", "d/kept"]);
    expect(layer.whiteouts("d")).toEqual(["gone"]);
    expect(layer.whiteouts("")).toEqual(["top"]);
    expect(layer.isOpaque("d")).toBe(true);
    expect(layer.isOpaque("")).toBe(false);
  });

  test("don't hide what their own layer has, before or after them", () => {
    const layer = index(file("a"), file(".wh.a"), file(".wh.b"), file("b"));
    expect(pathsOf(layer)).toEqual(["a", "b"]);
    expect(layer.whiteouts("")).toEqual(["a", "b"]);
  });

  test("make their parents known", () => {
    const layer = index(file("a/b/.wh.c"));
    expect(pathsOf(layer)).toEqual(["a", "a/b"]);
    expect(layer.whiteouts("a/b")).toEqual(["c"]);
  });

  test("an opaque root", () => {
    expect(index(file(".wh..wh..opq")).isOpaque("")).toBe(true);
  });

  test.each([[".wh."], [".wh.."], [".wh..."], ["d/.wh."], ["d/.wh..."]])("%s is refused", (path) => {
    expect(() => index(file(path))).toThrow("is not a valid whiteout");
  });

  test.each([
    [".wh....", "..."],
    [".wh..a", ".a"],
    [".wh.a b", "a b"],
  ])("%s hides %s", (path, name) => {
    expect(index(file(path)).whiteouts("")).toEqual([name]);
  });
});

/** What an entry does to a tree, told naively: paths only, no links on the way. */
type Action = { kind: "file" | "directory"; path: string };

test("any order of files and directories gives the tree that unpacking would give", () => {
  const name = fc.constantFrom("a", "b", "c");
  const action: fc.Arbitrary<Action> = fc.record({
    kind: fc.constantFrom("file" as const, "directory" as const),
    path: fc.array(name, { minLength: 1, maxLength: 3 }).map((parts) => parts.join("/")),
  });
  fc.assert(
    fc.property(fc.array(action, { maxLength: 12 }), (actions) => {
      const tree = new Map<string, "file" | "directory">();
      let isRefused = false;
      for (const { kind, path } of actions) {
        const parts = path.split("/");
        for (let depth = 1; depth < parts.length; depth++) {
          const parent = parts.slice(0, depth).join("/");
          if (tree.get(parent) === "file") isRefused = true;
          tree.set(parent, "directory");
        }
        if (isRefused) break;
        if (kind === "file")
          for (const other of [...tree.keys()]) if (other.startsWith(`${path}/`)) tree.delete(other);
        tree.set(path, kind);
      }
      const entries = actions.map(({ kind, path }) => (kind === "file" ? file(path) : directory(path)));
      if (isRefused) {
        expect(() => index(...entries)).toThrow(WpodError);
        return;
      }
      const found = new Map([...listIndex(index(...entries))].map(([path, entry]) => [path, entry.type]));
      expect(found).toEqual(tree);
    }),
    { numRuns: 300 * LONG },
  );
});
