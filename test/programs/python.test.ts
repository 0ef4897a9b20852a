import { describe, expect, test } from "vitest";
import { engineForFile } from "../fixtures/engine-for-test.ts";
import { pythonImage } from "../fixtures/programs/images.ts";
import { attrsPackage, pythonModule } from "../fixtures/programs/pinned.ts";
import {
  type Expected,
  needBoth,
  type Program,
  type ProgramRun,
  runUnderBoth,
} from "../fixtures/two-runtimes.ts";

/** A cold cache has to fetch 12 MB and compile 26 MB for wasmtime. */
const FETCH_TIMEOUT_MS = 300_000;

const own = engineForFile();

async function python(): Promise<Program> {
  const shared = { "/packages": await attrsPackage() };
  return { image: await pythonImage(), module: await pythonModule(), shared };
}

interface Case extends ProgramRun {
  name: string;
  /** What must be seen, besides that both runtimes agree. */
  seen: Expected;
}

/** A script in a file of the volume. */
function script(name: string, lines: string, rest: Partial<Case> & Pick<Case, "seen">): Case {
  return { name, argv: ["python", "/data/script.py"], ...rest, files: { "script.py": lines, ...rest.files } };
}

const CASES: Case[] = [
  {
    name: "says its version",
    argv: ["python", "--version"],
    seen: { exitCode: 0, stdout: "Python 3.12.0\n" },
  },
  {
    name: "-c with arguments",
    argv: ["python", "-c", "import sys; print(sys.argv)", "a", "b c", "ü", "", "--flag=1"],
    seen: { exitCode: 0, stdout: "['-c', 'a', 'b c', 'ü', '', '--flag=1']\n", stderr: "" },
  },
  {
    name: "-m runs a module of the standard library",
    argv: ["python", "-m", "json.tool", "--sort-keys", "--compact", "/data/in.json"],
    files: { "in.json": '{"b": [1, 2.50, null], "a": "\\u00e9"}' },
    seen: { exitCode: 0, stdout: '{"a":"\\u00e9","b":[1,2.5,null]}\n' },
  },
  script(
    "reads and writes JSON",
    `
import json
with open("/data/orders.json", encoding="utf-8") as file:
    orders = json.load(file)
totals = {}
for order in orders:
    totals[order["customer"]] = totals.get(order["customer"], 0) + order["count"] * order["price"]
with open("/data/totals.json", "w", encoding="utf-8") as file:
    json.dump(totals, file, indent=2, ensure_ascii=False, sort_keys=True)
print(len(orders), "orders,", len(totals), "customers")
`,
    {
      files: {
        "orders.json": JSON.stringify([
          { customer: "Zoë", count: 2, price: 1.5 },
          { customer: "李", count: 1, price: 10 },
          { customer: "Zoë", count: 4, price: 0.25 },
        ]),
      },
      seen: {
        exitCode: 0,
        stdout: "3 orders, 2 customers\n",
        files: expect.objectContaining({ "totals.json": '{\n  "Zoë": 4.0,\n  "李": 10\n}' }),
      },
    },
  ),
  script(
    "makes, moves, lists and removes files",
    `
import errno, os, pathlib, shutil
top = pathlib.Path("/data/top")
(top / "a" / "b").mkdir(parents=True)
for number in range(30):
    (top / "a" / f"{number:02}.txt").write_text(f"file {number}\\n" * number)
print(sorted(p.name for p in top.glob("a/*5.txt")), sum(p.stat().st_size for p in top.rglob("*.txt")))
os.rename(top / "a" / "01.txt", top / "a" / "b" / "one")
os.replace(top / "a" / "02.txt", top / "a" / "b" / "one")
shutil.copytree(top / "a", top / "copy")
shutil.rmtree(top / "a")
os.symlink("copy/b/one", top / "link")
print(os.readlink(top / "link"), (top / "link").read_text().splitlines())
os.link(top / "copy" / "03.txt", top / "hard")
print(os.stat(top / "hard").st_nlink, os.path.samefile(top / "hard", top / "copy" / "03.txt"))
os.utime(top / "hard", ns=(1_000_000_000, 1_234_567_890_123_456_789))
print(os.stat(top / "hard").st_mtime_ns)
with open(top / "hard", "r+b") as file:
    file.seek(-3, os.SEEK_END); file.write(b"XYZ!"); file.truncate(20); print(file.tell())
with open(top / "log", "a") as file: print(file.write("one\\n"))
with open(top / "log", "a") as file: print(file.write("two\\n"), file.tell())
with os.scandir(top) as entries:
    print(sorted((e.name, e.is_dir(), e.is_symlink(), e.is_file(follow_symlinks=False)) for e in entries))
def fails(action):
    try: action()
    except OSError as error: print(type(error).__name__, errno.errorcode[error.errno])
    else: print("did not fail")
fails(lambda: open(top / "missing"))
fails(lambda: open(top / "log", "x"))
fails(lambda: open(top, "w"))
fails(lambda: os.listdir(top / "log"))
fails(lambda: os.rmdir(top))
fails(lambda: os.mkdir(top))
fails(lambda: os.unlink(top / "nothing"))
fails(lambda: os.rename(top, top / "copy" / "itself"))
fails(lambda: open("/data/" + "n" * 300, "w"))
for directory, directories, files in os.walk(top):
    directories.sort()
    print(directory, len(files))
`,
    {
      seen: {
        exitCode: 0,
        stdout: expect.stringContaining(
          "FileNotFoundError ENOENT\nFileExistsError EEXIST\nIsADirectoryError",
        ),
        files: expect.objectContaining({ "top/link": "-> copy/b/one", "top/copy/b/one": "file 2\nfile 2\n" }),
      },
    },
  ),
  script(
    "imports a package from a read-only volume",
    `
import attr, attrs
from attrs import define, field, validators
@define
class Point:
    x: int = field(validator=validators.instance_of(int))
    y: int = 0
print(Point(1, 2), attrs.asdict(Point(3)), attr.__file__)
try: Point("1")
except TypeError as error: print(error.args[0])
`,
    {
      env: { PYTHONPATH: "/packages" },
      seen: {
        exitCode: 0,
        stdout: expect.stringMatching(
          /^Point\(x=1, y=2\) \{'x': 3, 'y': 0\} \/packages\/attr\/__init__.py\n'x' must be/,
        ),
      },
    },
  ),
  script(
    "prints and names files in unicode",
    `
import os, unicodedata
os.makedirs("/data/日本/ünïcode")
with open("/data/日本/ünïcode/🐍.txt", "w", encoding="utf-8") as file: file.write("Ĝis la revido 👋🏽\\n")
for directory, _, files in sorted(os.walk("/data/日本")): print(directory, files)
print(open("/data/日本/ünïcode/🐍.txt", encoding="utf-8").read(), end="")
print([unicodedata.name(c) for c in "é🐍"], "\\u202e", "ﬃ".upper())
`,
    {
      seen: {
        exitCode: 0,
        stdout: expect.stringContaining("/data/日本/ünïcode ['🐍.txt']\nĜis la revido 👋🏽\n"),
      },
    },
  ),
  {
    name: "runs the script that stdin holds",
    argv: ["python", "-", "argument"],
    stdin: "import sys\nfor number in range(3):\n    print(number, sys.argv)\n",
    seen: { exitCode: 0, stdout: "0 ['-', 'argument']\n1 ['-', 'argument']\n2 ['-', 'argument']\n" },
  },
  script(
    "reads lines from stdin until its end",
    `
import sys
print(input("name? "))
print([line.rstrip() for line in sys.stdin])
try: input()
except EOFError as error: print("EOFError")
`,
    {
      stdin: "first\nsecond ü\r\nlast",
      seen: { exitCode: 0, stdout: "name? first\n['second ü', 'last']\nEOFError\n" },
    },
  ),
  script(
    "digests megabytes of stdin",
    "import sys, hashlib; data = sys.stdin.buffer.read(); print(len(data), hashlib.sha256(data).hexdigest())",
    {
      stdin: Buffer.alloc(3_000_001, "0123456789abcdef\0\xff"),
      seen: { exitCode: 0, stdout: expect.stringMatching(/^3000001 [0-9a-f]{64}\n$/) },
    },
  ),
  script(
    "writes megabytes of bytes to stdout, in pieces that don't fit buffers",
    `
import sys
for number in range(300):
    sys.stdout.buffer.write(bytes(range(256)) * 37 + b"%d" % number)
`,
    { seen: { exitCode: 0, stdout: expect.any(Uint8Array) } },
  ),
  {
    name: "exits with the status asked for",
    argv: ["python", "-c", "import sys; print('before'); sys.exit(42)"],
    seen: { exitCode: 42, stdout: "before\n", stderr: "" },
  },
  {
    name: "exits 1 with a message",
    argv: ["python", "-c", "raise SystemExit('no such thing: é')"],
    seen: { exitCode: 1, stdout: "", stderr: "no such thing: é\n" },
  },
  {
    name: "exits at once, its buffers lost",
    argv: ["python", "-c", "import os; print('lost'); os._exit(9)"],
    seen: { exitCode: 9, stdout: "" },
  },
  script(
    "prints a traceback to stderr",
    "def inner():\n    return {}['ключ']\ndef outer():\n    inner()\nouter()\n",
    {
      seen: {
        exitCode: 1,
        stdout: "",
        stderr: expect.stringMatching(
          /^Traceback[\s\S]*script\.py", line 4, in outer[\s\S]*KeyError: 'ключ'\n$/,
        ),
      },
    },
  ),
  script("reports a syntax error", "print('one')\ndef f(:\n", {
    seen: { exitCode: 1, stdout: "", stderr: expect.stringContaining("SyntaxError: invalid syntax") },
  }),
  {
    name: "a script that is missing",
    argv: ["python", "/data/nothing.py"],
    seen: { exitCode: 2, stderr: expect.stringContaining("can't open file '/data/nothing.py'") },
  },
  {
    name: "sees its environment",
    argv: [
      "python",
      "-c",
      "import os; print(os.environ['GREETING'], os.environ.get('UNSET'), os.getenv('EMPTY') == '')",
    ],
    env: { GREETING: "grüß = dich\nzwei", EMPTY: "" },
    seen: { exitCode: 0, stdout: "grüß = dich\nzwei None True\n" },
  },
  script(
    "keeps a database on the volume",
    `
import sqlite3
with sqlite3.connect("/data/shop.db") as db:
    db.execute("create table item (id integer primary key, name text unique, price real)")
    db.executemany("insert into item (name, price) values (?, ?)", [(f"item {n}", n / 4) for n in range(500)])
db.close()
db = sqlite3.connect("/data/shop.db")
print(db.execute("select count(*), sum(price), max(name) from item").fetchone(), db.execute("pragma integrity_check").fetchone())
try: db.execute("insert into item (name) values ('item 7')")
except sqlite3.IntegrityError as error: print(error)
`,
    {
      seen: {
        exitCode: 0,
        stdout: "(500, 31187.5, 'item 99') ('ok',)\nUNIQUE constraint failed: item.name\n",
      },
    },
  ),
  script(
    "uses much of its standard library",
    `
import base64, collections, csv, datetime, decimal, fractions, hashlib, heapq, io, itertools, random, re, statistics, string, struct, tempfile, textwrap, zipfile, zlib
print(hashlib.sha512(b"abc").hexdigest()[:16], zlib.crc32(b"abc"), zlib.decompress(zlib.compress(b"x" * 10000))[:3])
print(decimal.Decimal(1) / 7, fractions.Fraction(3, 9), 2 ** 200, 0.1 + 0.2, statistics.stdev([1, 2, 4]))
print(re.findall(r"(\\w+)@(\\w+)", "a@b cc@dd"), struct.pack("<If", 7, 1.5), base64.b85encode(b"wpod"))
random.seed(7); print(random.random(), random.sample(range(100), 5))
print(datetime.datetime.fromtimestamp(1e9, datetime.timezone.utc).isoformat(), textwrap.fill("a b c d e", 3).split())
print(list(itertools.islice(itertools.permutations("abc"), 3)), collections.Counter("banana").most_common(1), heapq.nsmallest(2, [3, 1, 2]))
with zipfile.ZipFile("/data/files.zip", "w", zipfile.ZIP_DEFLATED) as archive:
    for number in range(5): archive.writestr(zipfile.ZipInfo(f"dir/{number}.txt"), "line\\n" * 1000 * number)
with zipfile.ZipFile("/data/files.zip") as archive:
    print(archive.testzip(), [(i.filename, i.file_size) for i in archive.infolist()])
    archive.extractall("/data/out")
with open("/data/rows.csv", "w", newline="") as file: csv.writer(file).writerows([["a", "b,c"], [1, 'd"e']])
with open("/data/rows.csv", newline="") as file: print(list(csv.reader(file)))
with tempfile.TemporaryDirectory(dir="/data") as directory:
    with tempfile.TemporaryFile(dir=directory) as file: file.write(b"temporary"); file.seek(4); print(file.read())
`,
    { seen: { exitCode: 0, stdout: expect.stringContaining("b'orary'") } },
  ),
  script(
    "has clocks that go on and can't start threads",
    `
import threading, time
before = time.monotonic(); time.sleep(0.03); print(time.monotonic() - before >= 0.03, time.time() > 1.7e9, time.process_time() >= 0)
try: threading.Thread(target=print).start()
except RuntimeError as error: print(error)
`,
    { seen: { exitCode: 0, stdout: "True True True\ncan't start new thread\n" } },
  ),
];

describe("CPython does the same as under wasmtime", () => {
  test.for(CASES)("$name", { timeout: FETCH_TIMEOUT_MS }, async ({ name: _, seen, ...run }, { skip }) => {
    needBoth(skip);
    expect(await runUnderBoth(own.engine, await python(), run)).toMatchObject(seen);
  });
});
