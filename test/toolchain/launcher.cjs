#!/usr/bin/env node
"use strict";
// The first file that `wpod` runs. Whatever Node.js the caller has must be able to read it: nothing here is newer than ES2015.
//
// Node.js 24 and newer run the command line in this process. An older one hands over to the Node.js that came with this
// package from npm: it becomes that process, or where it can't (before 22.15, on Windows) stays as its shadow: streams are
// inherited, signals passed on, the exit status is the other's.

const NODE_MAJOR_MIN = 24;
/** As docker's: the runtime failed, the container was not started. */
const EXIT_RUNTIME_FAILED = 125;

if (parseInt(process.versions.node, 10) >= NODE_MAJOR_MIN) {
  require("../prestart.js");
  const { load, save } = require("../code-cache.js");
  process.on("exit", save);
  load("wpod.js");
} else {
  handOver(newerNode());
}

function newerNode() {
  const { existsSync } = require("fs");
  const { join } = require("path");
  const windows = process.platform === "win32";
  const platform = `${windows ? "win" : process.platform}-${process.arch}`;
  // Of a clone; of a project that installed one beside this package.
  const places = [join(__dirname, "..", "..", "node_modules"), join(__dirname, "..", "..", "..")];
  for (const place of places) {
    for (const name of [`node-${platform}`, `node-bin-${platform}`]) {
      const found = join(place, name, "bin", windows ? "node.exe" : "node");
      if (existsSync(found)) return found;
    }
  }
  return undefined;
}

function handOver(node) {
  if (node === undefined) {
    fail(`wpod needs Node.js ${NODE_MAJOR_MIN} or newer; this is ${process.version} (${process.execPath})`);
  }
  const rest = [__filename].concat(process.argv.slice(2));
  if (process.execve !== undefined && process.platform !== "win32") {
    process.execve(node, [node].concat(rest), process.env);
  }
  const child = require("child_process").spawn(node, rest, { stdio: "inherit" });
  child.on("error", (error) => fail(`${node} can't be started: ${error.message}`));
  child.on("exit", endLike);

  // A terminal sends these to the whole foreground group: the other has them already, and twice would mean "at once".
  const sentToBoth = hasTerminal() ? ["SIGINT", "SIGQUIT"] : [];
  for (const signal of ["SIGINT", "SIGQUIT", "SIGTERM", "SIGHUP", "SIGUSR2", "SIGCONT"]) {
    if (!(signal in require("os").constants.signals)) continue; // of another platform
    process.on(signal, () => {
      if (sentToBoth.indexOf(signal) < 0) child.kill(signal);
    });
  }
}

/** Ends this process the way the other one ended. */
function endLike(code, signal) {
  if (signal === null) process.exit(code);
  process.removeAllListeners(signal);
  process.kill(process.pid, signal);
  // A signal takes effect when the system delivers it, or never where its default is to do nothing.
  setTimeout(() => process.exit(128 + require("os").constants.signals[signal]), 100);
}

function fail(message) {
  process.stderr.write(`Error: ${message}\n`);
  process.exit(EXIT_RUNTIME_FAILED);
}

function hasTerminal() {
  try {
    const { closeSync, openSync } = require("fs");
    closeSync(openSync("/dev/tty", "r"));
    return true;
  } catch (_) {
    return false;
  }
}
