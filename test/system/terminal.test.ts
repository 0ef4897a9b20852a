import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { guest } from "../fixtures/guests.ts";
import { goProgram } from "../fixtures/programs/go-program.ts";
import { pythonImage } from "../fixtures/programs/images.ts";
import { runInTerminal, type Step, type TerminalResult } from "../fixtures/terminal/in-terminal.ts";
import { need } from "../fixtures/tools.ts";
import { Cli, WPOD } from "./cli.ts";

/** A cold cache fetches and compiles first. */
const FETCH_TIMEOUT_MS = 300_000;
const GO_SOURCE = fileURLToPath(new URL("../fixtures/programs/sources/tty.go", import.meta.url));

let cli: Cli;
let tty: string;

beforeAll(async () => {
  cli = new Cli();
  tty = await guest("tty");
}, FETCH_TIMEOUT_MS);
afterAll(() => cli.dispose());

type Skip = (note: string) => never;

async function terminal(
  skip: Skip,
  args: readonly string[],
  steps: readonly Step[],
  size: { columns?: number; rows?: number } = {},
): Promise<TerminalResult> {
  return await runInTerminal(need(skip, "python3"), {
    argv: [process.execPath, WPOD, ...args],
    cwd: cli.directory,
    env: { WPOD_ROOT: cli.root },
    steps,
    ...size,
  });
}

const type = (text: string): Step => ({ type: text });
const expecting = (text: string): Step => ({ expect: text });
const RAW: Step = { settings: true };

interface Case {
  name: string;
  args: string[];
  steps: Step[];
  /** All that the terminal shows, or a part. */
  shown?: string;
  contains?: string[];
  status?: number;
}

const CASES: Case[] = [
  {
    name: "0 to 2 are a terminal, a directory isn't",
    args: ["is"],
    steps: [],
    shown: "isatty 1 1 1 0\r\n",
  },
  {
    name: "row 46: reads are lines, edited and echoed; ^D is the end; output has CRLF",
    args: ["lines"],
    steps: [
      expecting("ready\r\n"),
      type("helo\x7flo\r"),
      expecting("read 6 hello/"),
      type("ab\x04"),
      expecting("read 2 ab"),
      type("\x04"),
      expecting("end"),
    ],
    shown: "ready\r\nhelo\b \blo\r\nread 6 hello/\r\nabread 2 ab\r\nend\r\n",
  },
  {
    name: "two lines at once are two reads",
    args: ["lines"],
    steps: [expecting("ready"), type("one\rtwo\r\x04"), expecting("end")],
    contains: ["read 4 one/\r\nread 4 two/\r\nend\r\n"],
  },
  {
    name: "/dev/tty",
    args: ["device"],
    steps: [expecting("name? "), type("me\r"), expecting("read 3 me/")],
    shown: "isatty 1\r\nname? me\r\nread 3 me/\r\n",
  },
  {
    name: "raw keys",
    args: ["keys"],
    steps: [
      expecting("ready"),
      type("a"),
      expecting("key 61\r\n"),
      type("\x03"),
      expecting("key 03\r\n"),
      type("\x1b[A"),
      expecting("5b 41\r\n"),
      type("q"),
      expecting("key 71\r\n"),
    ],
  },
  {
    name: "a password isn't shown",
    args: ["password"],
    steps: [expecting("password? "), type("secret\r"), expecting("read 7 secret/")],
    shown: "password? \r\nread 7 secret/\r\n",
  },
  {
    name: "output without processing, between output with it",
    args: ["raw-output"],
    steps: [],
    shown: "a\r\nb\nc\r\n",
  },
  {
    name: "a line that was begun comes at once when there are no lines any more",
    args: ["pending"],
    steps: [
      expecting("ready"),
      type("1\r"),
      expecting("type\r\n"),
      type("xy"),
      expecting("xy"),
      { resize: [90, 30] },
      expecting("read 2 xy"),
    ],
  },
  {
    name: "changes of the size, by poll with input between",
    args: ["sizes", "2"],
    steps: [
      expecting("changes isatty 0"),
      { resize: [100, 40] },
      expecting("size 100 40"),
      type("x\r"),
      expecting("read 2 x/"),
      { resize: [20, 5] },
      expecting("size 20 5"),
    ],
  },
  {
    name: "modes, and what is none",
    args: ["modes"],
    steps: [],
    shown: "get 0 mode 31\r\nunknown bit 1\r\nbad pointer 1\r\nno terminal 1\r\n",
  },
];

describe("a program in a terminal", () => {
  test.for(CASES)("$name", async ({ args, steps, shown, contains = [], status = 0 }, { skip }) => {
    const result = await terminal(skip, ["run", "--rm", "-it", tty, ...args], steps);
    if (shown !== undefined) expect(result.shown).toBe(shown);
    for (const part of contains) expect(result.shown).toContain(part);
    expect(result).toMatchObject({ status, restored: true });
  });

  test("the size at its start", async ({ skip }) => {
    const size = { columns: 133, rows: 7 };
    const printed = await terminal(skip, ["run", "--rm", "-it", tty, "size"], [], size);
    expect(printed.shown).toBe("size 133 7\r\n");
  });

  test("what its environment says", async ({ skip }) => {
    const env = await guest("env");
    const size = { columns: 133, rows: 7 };
    const printed = await terminal(skip, ["run", "--rm", "-t", "-e", "LINES=9", env], [], size);
    const lines = printed.shown.split(/\r\n|\0/);
    expect(lines).toEqual(expect.arrayContaining(["TERM=xterm", "COLUMNS=133", "LINES=9"]));
  });

  test("poll waits for a line", async ({ skip }) => {
    const poll = await guest("pollstdin");
    const steps = [expecting("timeout"), type("x"), type("y\r"), expecting("read 3"), type("\x04")];
    const printed = await terminal(skip, ["run", "--rm", "-it", poll, "50"], steps);
    expect(printed).toMatchObject({
      status: 0,
      shown: expect.stringMatching(/read 3\r\n(timeout\r\n)*end\r\n$/),
    });
  });

  test("without -t nothing is a terminal, also in one", async ({ skip }) => {
    const printed = await terminal(skip, ["run", "--rm", "-i", tty, "is"], []);
    expect(printed.shown).toBe("isatty 0 0 0 0\r\n");
    expect((await cli.wpod(["run", "--rm", tty, "errors"])).stdout).toBe("59 1 59\n");
    expect((await cli.wpod(["run", "--rm", tty, "device"])).stdout).toBe("errno 60\n");
  });

  test("row 46: -t without a terminal works, and says so", async () => {
    const printed = await cli.wpod(["run", "--rm", "-it", tty, "lines"], { stdin: "a\nb" });
    expect(printed).toMatchObject({
      exitCode: 0,
      stderr:
        "Warning: The input device is not a TTY. The --tty and --interactive flags might not work properly\n",
    });
    // What is typed before the program runs is shown before.
    expect(printed.stdout).toMatch(/read 2 a\/\r\nread 1 b\r\nend\r\n$/);
    expect(printed.stdout).toMatch(/^(ready\r\n)?a\r\nb/);
  });

  test("without -i nobody types, which is no end; signals come from the terminal as without -t", async ({
    skip,
  }) => {
    const steps: Step[] = [expecting("ready"), type("\x03")];
    const result = await terminal(skip, ["run", "--rm", "-t", tty, "lines"], steps);
    expect(result).toMatchObject({ status: 130, restored: true });
  });

  test("output into a pipe has CRLF too", async ({ skip }) => {
    const command = `"$0" "$1" run --rm -it "$2" lines | sed -n l`;
    const result = await runInTerminal(need(skip, "python3"), {
      argv: ["sh", "-c", command, process.execPath, WPOD, tty],
      cwd: cli.directory,
      env: { WPOD_ROOT: cli.root },
      steps: [expecting("ready\\r$"), type("a\r"), expecting("read 2 a/\\r$"), type("\x04")],
    });
    expect(result).toMatchObject({ status: 0, restored: true });
  });

  test("inspect and logs know of it", async ({ skip }) => {
    await terminal(skip, ["run", "--name", "logged", "-it", tty, "is"], []);
    expect(JSON.parse(await cli.must(["inspect", "logged"]))).toMatchObject([{ Config: { Tty: true } }]);
    expect(await cli.must(["logs", "logged"])).toBe("isatty 1 1 1 0\r\n");
  });
});

describe("the terminal is as it was", () => {
  test("after a normal end, raw before", async ({ skip }) => {
    const steps = [expecting("ready"), RAW, type("\x04"), expecting("end")];
    const result = await terminal(skip, ["run", "--rm", "-it", tty, "lines"], steps);
    expect(result).toMatchObject({ status: 0, raw: [true], restored: true });
  });

  test.for([
    { name: "^C", key: "\x03", echo: "^C", status: 130 },
    { name: "^\\", key: "\x1c", echo: "^\\", status: 131 },
  ])("after $name, which ends a program that computes", async ({ key, echo, status }, { skip }) => {
    const spin = await guest("spin");
    const steps = [expecting("go"), RAW, type(key)];
    const result = await terminal(skip, ["run", "--rm", "-it", spin, "go"], steps);
    expect(result).toEqual({ shown: `go${echo}`, status, raw: [true], restored: true });
  });

  test("^Z stops nothing", async ({ skip }) => {
    const steps = [
      expecting("ready"),
      type("\x1a"),
      expecting("^Z"),
      type("a\r"),
      expecting("read 2"),
      type("\x04"),
    ];
    const result = await terminal(skip, ["run", "--rm", "-it", tty, "lines"], steps);
    expect(result).toMatchObject({ status: 0, restored: true });
  });

  test.for([
    { signal: "SIGTERM", status: 143 },
    { signal: "SIGINT", status: 130 },
    { signal: "SIGHUP", status: 129 },
    { signal: "SIGQUIT", status: 131 },
    { signal: "SIGKILL", status: -9 },
    { signal: "SIGABRT", status: -6 },
  ] as const)("after $signal to wpod", async ({ signal, status }, { skip }) => {
    const steps: Step[] = [expecting("ready"), RAW, { signal }];
    const result = await terminal(skip, ["run", "--rm", "-it", tty, "lines"], steps);
    expect(result).toMatchObject({ status, raw: [true], restored: true });
  });

  test("after the container was removed by another command", async ({ skip }) => {
    const other = [process.execPath, WPOD, "rm", "-f", "victim"];
    const steps: Step[] = [expecting("ready"), RAW, { run: other }];
    const result = await terminal(skip, ["run", "--name", "victim", "-it", tty, "lines"], steps);
    expect(result).toMatchObject({ status: 137, raw: [true], restored: true });
  });

  test("raw again after it was stopped, and as it was after that", async ({ skip }) => {
    const steps: Step[] = [
      expecting("ready"),
      { signal: "SIGSTOP" },
      { cook: true },
      { signal: "SIGCONT" },
      { awaitRaw: true },
      type("a\r"),
      expecting("read 2 a/"),
      type("\x04"),
    ];
    const result = await terminal(skip, ["run", "--rm", "-it", tty, "lines"], steps);
    expect(result).toMatchObject({ status: 0, restored: true });
  });

  test("after its time-out", async ({ skip }) => {
    const steps: Step[] = [expecting("ready"), RAW];
    const result = await terminal(skip, ["run", "--rm", "--timeout", "1", "-it", tty, "lines"], steps);
    expect(result).toMatchObject({ status: 137, raw: [true], restored: true });
  });

  test.for(["flood", "flip"])(
    "after ^C to a program that keeps the runtime busy: %s",
    async (command, { skip }) => {
      const steps: Step[] = [expecting(command === "flood" ? "yyy" : "ready"), RAW, type("\x03")];
      const result = await terminal(skip, ["run", "--rm", "-it", tty, command], steps);
      expect(result).toMatchObject({ status: 130, raw: [true], restored: true });
    },
  );

  test("after SIGTERM while nobody looks at a terminal that is full", async ({ skip }) => {
    const steps: Step[] = [expecting("yyy"), { unread: true }, { signal: "SIGTERM" }];
    const result = await terminal(skip, ["run", "--rm", "-it", tty, "flood"], steps);
    expect(result).toMatchObject({ status: 143, restored: true });
  });

  test.for([
    { name: "an exception that nobody caught", code: "throw new Error('oops')", status: 1 },
    { name: "process.exit", code: "process.exit(3)", status: 3 },
    { name: "process.abort", code: "process.abort()", status: -6 },
  ])("after $name of a program that uses the library", async ({ code, status }, { skip }) => {
    const engine = new URL("../../dist/engine.mjs", import.meta.url).href;
    const script = `
      import { Engine } from ${JSON.stringify(engine)};
      const engine = new Engine();
      engine.run(${JSON.stringify(tty)}, { args: ["lines"], tty: true, stdin: "inherit", stdout: (bytes) => {
        process.stdout.write(bytes);
        if (Buffer.from(bytes).includes("read 2")) setTimeout(() => { ${code} }, 1);
      } });`;
    const result = await runInTerminal(need(skip, "python3"), {
      argv: [process.execPath, "--input-type=module", "-e", script],
      cwd: cli.directory,
      env: { WPOD_ROOT: cli.root },
      steps: [expecting("ready"), RAW, type("a\r")],
    });
    expect(result).toMatchObject({ status, raw: [true], restored: true });
  });

  test("after a trap, which is told on the terminal", async ({ skip }) => {
    const trap = await guest("trap");
    const result = await terminal(skip, ["run", "--rm", "-it", trap, "unreachable"], []);
    expect(result).toMatchObject({ status: 134, restored: true });
    expect(result.shown).toMatch(/^wpod: the program trapped: .*\r\n$/m);
  });

  test("a program that doesn't start", async ({ skip }) => {
    const result = await terminal(skip, ["run", "--rm", "-it", "./nothing.wasm"], []);
    expect(result).toMatchObject({ status: 125, restored: true });
  });

  test("one that hangs up ends the program", async ({ skip }) => {
    const steps: Step[] = [expecting("ready"), { hangUp: true }];
    const result = await terminal(skip, ["run", "--rm", "-it", tty, "lines"], steps);
    expect([0, 129]).toContain(result.status);
  });
});

test("Go knows its terminal", { timeout: FETCH_TIMEOUT_MS }, async ({ skip }) => {
  const program = await goProgram(need(skip, "go"), GO_SOURCE);
  const steps = [
    expecting("terminal true true true"),
    type("grüße\r"),
    expecting('line "grüße"'),
    type("\x04"),
  ];
  const result = await terminal(skip, ["run", "--rm", "-it", program], steps);
  expect(result.shown).toMatch(/end <nil>\r\n$/);
  expect(result).toMatchObject({ status: 0, restored: true });
  const piped = await cli.wpod(["run", "--rm", "-i", program], { stdin: "x\n" });
  expect(piped.stdout).toBe('terminal false false false\nline "x"\nend <nil>\n');
});

describe("Python's prompt", { timeout: FETCH_TIMEOUT_MS }, () => {
  const PROMPT = expecting(">>> ");

  async function python(skip: Skip, steps: readonly Step[]): Promise<TerminalResult> {
    return await terminal(skip, ["run", "--rm", "-it", await pythonImage(), "python"], steps);
  }

  test("answers, edits, continues lines, ends at ^D", async ({ skip }) => {
    const result = await python(skip, [
      PROMPT,
      type("1+1\r"),
      expecting("\r\n2\r\n"),
      PROMPT,
      type("'é'*x\x7f3\r"),
      expecting("\r\n'ééé'\r\n"),
      PROMPT,
      type("import sys; sys.stdin.isatty(), sys.stdout.isatty(), sys.stderr.isatty()\r"),
      expecting("(True, True, True)"),
      PROMPT,
      type("for i in range(2): print(i)\r"),
      expecting("... "),
      type("\r"),
      expecting("0\r\n1\r\n"),
      PROMPT,
      type("1/0\r"),
      expecting("ZeroDivisionError"),
      PROMPT,
      type("input('name? ')\r"),
      expecting("name? "),
      type("me\r"),
      expecting("'me'"),
      PROMPT,
      RAW,
      type("\x04"),
    ]);
    expect(result).toMatchObject({ status: 0, raw: [true], restored: true });
  });

  test("^C ends it: it has no signals to handle", async ({ skip }) => {
    const result = await python(skip, [
      PROMPT,
      type("while True: pass\r"),
      expecting("... "),
      type("\r"),
      type("\x03"),
    ]);
    expect(result).toMatchObject({ status: 130, restored: true });
    expect(result.shown).toMatch(/\^C$/);
  });
});
