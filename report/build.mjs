// node build.mjs NODE_MODULES OUTPUT: bundles src/main.js and what it imports from NODE_MODULES into one script.
import { createRequire } from "node:module";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

const [modules, output] = process.argv.slice(2).map((path) => resolve(path));
const here = dirname(fileURLToPath(import.meta.url));
const esbuild = createRequire(pathToFileURL(join(modules, "x.js")))("esbuild");

await esbuild.build({
  entryPoints: [join(here, "src", "main.js")],
  outfile: output,
  nodePaths: [modules],
  bundle: true,
  minify: true,
  format: "iife",
  target: ["chrome100", "firefox100", "safari15"],
  charset: "ascii", // the page is the same in whatever encoding it is saved
  legalComments: "inline",
});
