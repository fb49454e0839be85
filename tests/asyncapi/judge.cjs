// Reads the AsyncAPI documents that are named, and prints what AsyncAPI's parser has against each: a JSON array of arrays.
const fs = require("node:fs");
const { Parser } = require("@asyncapi/parser");

const LEVELS = ["error", "warning", "information", "hint"];

async function judged(path) {
  const { diagnostics } = await new Parser().parse(fs.readFileSync(path, "utf8"));
  return diagnostics.map((told) => ({
    level: LEVELS[told.severity],
    code: String(told.code),
    at: told.path.join("."),
    message: told.message,
  }));
}

Promise.all(process.argv.slice(2).map(judged)).then((told) => console.log(JSON.stringify(told)));
