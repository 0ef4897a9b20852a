"use strict";
// Where a thread of the bundle starts: loads its program with the code that was kept, and lets it keep what was missing.

const { load, save } = require("./code-cache.js");
globalThis[Symbol.for("wpod.keepCode")] = save;
load("@PROGRAM@");
