/** House rules, as far as a program can look for them. Prose: STYLE in CONTRIBUTING.md; data: `spec/boundaries.json`. */
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync, statSync } from "node:fs";
import { builtinModules } from "node:module";
import { dirname, join, posix } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";

const ROOT = fileURLToPath(new URL("..", import.meta.url));

interface Home {
  path: string;
  imports: string[];
  packages: string[];
  types: string[];
  forbidden?: string[];
}
const { homes, barrels } = readJson<{ homes: Home[]; barrels: string[] }>("spec/boundaries.json");

/** What is part of the repository, as paths with `/`. */
const files = execFileSync("git", ["ls-files", "-z"], { cwd: ROOT, encoding: "utf8" })
  .split("\0")
  .filter((path) => path !== "" && existsSync(join(ROOT, path)));
const sources = files.filter((path) => /\.(ts|mjs|cjs|js)$/.test(path));

function read(path: string): string {
  return readFileSync(join(ROOT, path), "utf8");
}

function readJson<T>(path: string): T {
  return JSON.parse(read(path));
}

/** The innermost home that a file lies in. */
function homeOf(path: string): Home | undefined {
  return homes
    .filter((home) => path.startsWith(`${home.path}/`))
    .sort((a, b) => b.path.length - a.path.length)[0];
}

describe("imports", () => {
  test.each(homes)(
    "$path has a tsconfig.json that knows no more of the machine than it may",
    ({ path, types }) => {
      // shim/abi is a part of shim: the same compiler settings hold.
      const config = [path, dirname(path)]
        .map((place) => `${place}/tsconfig.json`)
        .find((name) => files.includes(name));
      expect(config).toBeDefined();
      const { compilerOptions } = readJson<{ compilerOptions: { types: string[]; lib?: string[] } }>(
        config ?? "",
      );
      expect(compilerOptions.types).toEqual(types);
      expect(compilerOptions.lib ?? []).not.toContain("dom");
    },
  );

  test("every source belongs to a home", () => {
    const homeless = sources.filter((path) => homeOf(path) === undefined && path !== "vitest.config.ts");
    expect(homeless).toEqual([]);
  });

  test.each(homes)("$path imports only what spec/boundaries.json allows it", (home) => {
    const wrong: string[] = [];
    for (const path of sources.filter((source) => homeOf(source) === home)) {
      for (const name of importsOf(read(path))) {
        if (!mayImport(home, path, name)) wrong.push(`${path} imports ${name}`);
      }
    }
    expect(wrong).toEqual([]);
  });

  test.each(homes.filter((home) => home.forbidden !== undefined))(
    "$path gets time and chance as arguments",
    (home) => {
      const wrong: string[] = [];
      for (const path of sources.filter((source) => homeOf(source) === home)) {
        const code = withoutComments(read(path)).replace(/\s+/g, "");
        for (const name of home.forbidden ?? []) {
          if (code.includes(name.replace(/\s+/g, ""))) wrong.push(`${path} uses ${name}`);
        }
      }
      expect(wrong).toEqual([]);
    },
  );

  test("the compiler's picture of a bare machine has no clock, no timer, no input and no output", () => {
    const globals = files.filter((path) => path.startsWith("shim/") && path.endsWith(".d.ts"));
    const names = globals.flatMap((path) =>
      [...read(path).matchAll(/^\s*(?:declare )?(?:const|let|var|function|class|namespace) (\w+)/gm)].map(
        ([, name]) => name,
      ),
    );
    const machine = [
      "process",
      "performance",
      "setTimeout",
      "setInterval",
      "fetch",
      "crypto",
      "Buffer",
      "require",
      "Worker",
    ];
    expect(names.filter((name) => machine.includes(name ?? ""))).toEqual([]);
  });

  test("only the public API re-exports other files", () => {
    const found = sources.filter((path) => {
      const statements = withoutComments(read(path))
        .split(/;\s*\n/)
        .filter((statement) => statement.trim() !== "");
      return (
        statements.length > 1 && statements.every((statement) => /^\s*export\b[^=]*\bfrom\b/.test(statement))
      );
    });
    expect(found).toEqual(barrels.filter((path) => files.includes(path)));
  });
});

describe("what is committed", () => {
  /** Each pattern is spelled so that it doesn't find itself. */
  const traces = [
    {
      name: "paths of a developer's machine",
      pattern: /[/]work[/](?:main|shared|\.)|[/]tmp[/](?:h|tc)[/]|[/](?:home|Users)[/][a-z]\w*[/]/,
    },
    {
      name: "hosts of registries",
      pattern:
        /registry[.](?:npmjs|yarnpkg)|(?:^|[^.\w])pypi[.]org|pythonhosted[.]org|(?:proxy|sum)[.]golang[.]org|(?:static|index)[.]crates[.]io|registry-1[.]docker|deb[.]debian[.]org/,
    },
    { name: "marks of what isn't finished", pattern: /FIX[M]E|X[X]X/ },
    { name: "note of what is left to do without its issue", pattern: /TO[D]O(?!\(#\d+\))/ },
  ];
  test.each(traces)("has no $name", ({ pattern }) => {
    const found = files.filter(isText).flatMap((path) =>
      read(path)
        .split("\n")
        .map((line, index) => ({ line, place: `${path}:${index + 1}` }))
        .filter(({ line }) => pattern.test(line))
        .map(({ line, place }) => `${place}: ${line.trim().slice(0, 120)}`),
    );
    expect(found).toEqual([]);
  });

  test("has no file over 1 MB", () => {
    const large = files.filter((path) => statSync(join(ROOT, path)).size > 1024 * 1024);
    expect(large).toEqual([]);
  });

  test("has these things at the top, and nothing else", () => {
    const agreed = new Set([
      ...[".ci", ".github", "runtime", "samples", "shim", "spec", "test"],
      ...[
        ".gitattributes",
        ".gitignore",
        ".npmrc",
        "biome.json",
        "knip.json",
        "package-lock.json",
        "package.json",
      ],
      ...["tsconfig.json", "vitest.config.ts"],
      ...["CHANGELOG.md", "CONTRIBUTING.md", "LICENSE", "README.md", "SECURITY.md"],
    ]);
    const top = new Set(files.map((path) => path.split("/")[0] ?? ""));
    expect([...top].filter((name) => !agreed.has(name))).toEqual([]);
  });

  test("names files after their noun, in lower case", () => {
    const odd = sources.filter((path) => !/^[a-z0-9]+(?:[-_.][a-z0-9]+)*$/.test(posix.basename(path)));
    const kinds = sources.filter((path) =>
      /^(?:utils?|helpers?|common|misc|types?)\./.test(posix.basename(path)),
    );
    expect({ odd, kinds: kinds.filter((path) => path !== "runtime/engine/types.ts") }).toEqual({
      odd: [],
      kinds: [],
    });
  });

  test("has a test beside every unit test's source", () => {
    // test/unit mirrors the sources: a test whose source was renamed is looked for in vain.
    const orphans = files
      .filter((path) => /^test\/unit\/.+\/.*\.test\.ts$/.test(path))
      .filter(
        (path) => !sourceFoldersOf(path).some((folder) => files.some((file) => file.startsWith(folder))),
      );
    expect(orphans).toEqual([]);
  });
});

describe("documents", () => {
  const documents = files.filter((path) => path.endsWith(".md"));

  test("link to files that are there", () => {
    const broken = documents.flatMap((path) =>
      [...read(path).matchAll(/\]\((?!https?:|#)([^)#\s]+)/g)]
        .map(([, target = ""]) => posix.join(posix.dirname(path), target))
        .filter((target) => !existsSync(join(ROOT, target)))
        .map((target) => `${path}: ${target}`),
    );
    expect(broken).toEqual([]);
  });

  test("the map for contributors names places that are there", () => {
    const places = [
      ...read("CONTRIBUTING.md").matchAll(/`((?:\.ci|\.github|runtime|samples|shim|spec|test)\/[\w./-]*)`/g),
    ].map(([, place = ""]) => place);
    expect(places.length).toBeGreaterThan(20);
    const isExample = (place: string) => place.endsWith("tar.test.ts");
    expect(places.filter((place) => !isExample(place) && !existsSync(join(ROOT, place)))).toEqual([]);
  });
});

describe("data in spec/", () => {
  interface Code {
    meaning: string;
    exitStatus: number;
    verbs?: Record<string, number>;
  }

  test("errors.json has the codes of WpodError", () => {
    const { codes } = readJson<{ codes: Record<string, Code> }>("spec/errors.json");
    const union = /type ErrorCode =([^;]*);/.exec(withoutComments(read("runtime/core/error.ts")))?.[1] ?? "";
    const declared = [...union.matchAll(/"([A-Z_]+)"/g)].map(([, code]) => code);
    expect(declared.length).toBeGreaterThan(20);
    expect(Object.keys(codes)).toEqual(declared);
    for (const [code, { meaning, exitStatus }] of Object.entries(codes)) {
      expect(meaning.length, code).toBeGreaterThan(10);
      expect([125, 126, 127], code).toContain(exitStatus);
    }
  });

  test("limits.json gives each limit a unit, a default and a reason, and the sources use it", () => {
    const { limits } = readJson<{
      limits: { name: string; unit: string; default: unknown; reason: string }[];
    }>("spec/limits.json");
    const code = sources
      .filter((path) => /^(?:shim|runtime)\//.test(path))
      .map((path) => withoutComments(read(path)))
      .join("\n");
    const problems: string[] = [];
    for (const { name, unit, default: value, reason } of limits) {
      if (!unit || reason.length < 10 || value === undefined)
        problems.push(`${name} lacks its unit, default or reason`);
      // Once where it is defined, and again where it is obeyed.
      if (code.split(new RegExp(`\\b${name}\\b`)).length < 3) problems.push(`${name} is not used`);
    }
    expect(problems).toEqual([]);
    expect(limits.length).toBeGreaterThan(0);
  });

  test("skips.json and boundaries.json say why, and name what exists", () => {
    const { skips } = readJson<{ skips: { id: string; reason: string }[] }>("spec/skips.json");
    for (const { id, reason } of skips) {
      expect(reason.length, id).toBeGreaterThan(10);
      expect(files, id).toContain(id.split(" > ")[0]);
    }
  });

  test("every JSON file can be read", () => {
    for (const path of files.filter((file) => file.endsWith(".json"))) {
      expect(() => JSON.parse(read(path)), path).not.toThrow();
    }
  });
});

describe("versions", () => {
  test("package-lock.json names no server, and an exact version of everything", () => {
    const { packages } = readJson<{ packages: Record<string, { resolved?: string; link?: boolean }> }>(
      "package-lock.json",
    );
    const served = Object.entries(packages).filter(
      ([, entry]) => entry.resolved !== undefined && !entry.link,
    );
    expect(served.map(([path]) => path)).toEqual([]);
  });

  test("package-lock.json knows the packages of all platforms, not only of the machine that wrote it", () => {
    // npm leaves out what the registry of that machine didn't have, and `npm ci` then refuses the lock file everywhere.
    const { packages } = readJson<{
      packages: Record<string, { optionalDependencies?: Record<string, string> }>;
    }>("package-lock.json");
    const missing = Object.entries(packages).flatMap(([path, { optionalDependencies = {} }]) =>
      Object.keys(optionalDependencies).filter(
        (name) => !(`node_modules/${name}` in packages) && !(`${path}/node_modules/${name}` in packages),
      ),
    );
    expect(missing).toEqual([]);
  });

  test("one version of Node.js from npm, for every platform of the workflow", () => {
    const { optionalDependencies } = readJson<{ optionalDependencies: Record<string, string> }>(
      "test/toolchain/package.json",
    );
    expect(new Set(Object.values(optionalDependencies)).size).toBe(1);
    expect(Object.keys(optionalDependencies)).toHaveLength(5);
  });

  test("memfs and the core that it stands on are of one release", () => {
    const { dependencies } = readJson<{ dependencies: Record<string, string> }>("package.json");
    expect(dependencies["@jsonjoy.com/fs-core"]).toBe(dependencies.memfs);
  });
});

test("the reader of imports sees every kind, and nothing in comments", () => {
  const text = `
    import "a";
    import b, { type C } from "b";
    import type {
      D,
    } from './d.ts';
    export * from "e";
    export type F = "f" | import("g").G;
    const h = await import("h");
    // import "comment";
    /* export * from "comment"; */
    const url = "https://i"; export { url };
  `;
  expect(importsOf(text).sort()).toEqual(["./d.ts", "a", "b", "e", "g", "h"]);
});

/** What a source imports, types and on-demand imports included. */
function importsOf(text: string): string[] {
  const code = withoutComments(text);
  const statements = code.matchAll(/^\s*(?:import|export)\b(?:[\w\s,*{}$]*\bfrom)?\s*["']([^"'\n]+)["']/gm);
  const calls = code.matchAll(/\bimport\(\s*["']([^"'\n]+)["']\s*\)/g);
  return [...statements, ...calls].map(([, name]) => name ?? "");
}

function mayImport(home: Home, path: string, name: string): boolean {
  if (name.startsWith(".")) {
    const target = posix.join(posix.dirname(path), name);
    return home.imports.some((allowed) => target === allowed || target.startsWith(`${allowed}/`));
  }
  if (!name.startsWith("node:") && builtinModules.includes(name)) return false;
  return home.packages.some((allowed) =>
    allowed.endsWith("*")
      ? name.startsWith(allowed.slice(0, -1))
      : name === allowed || name.startsWith(`${allowed}/`),
  );
}

/** Comments become spaces. Strings stay: `//` in one of them is no comment. */
function withoutComments(text: string): string {
  return text.replace(
    /("(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'|`(?:[^`\\]|\\.)*`)|\/\*[\s\S]*?\*\/|\/\/[^\n]*/g,
    (comment, string) => string ?? comment.replace(/[^\n]/g, " "),
  );
}

/** test/unit/core/image/tar.test.ts -> runtime/core/image; test/unit/shim/... -> shim. */
function sourceFoldersOf(path: string): string[] {
  const folder = posix.dirname(path).slice("test/unit/".length);
  return [`${folder}/`, `runtime/${folder}/`, `test/${folder}/`];
}

function isText(path: string): boolean {
  return !/\.(wasm|tar|gz|zst|png|ico)$/.test(path);
}
