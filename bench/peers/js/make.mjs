// node make.mjs OUTPUT: the greeter as a component, with StarlingMonkey inside and no imports but what it needs.
import { componentize } from "@bytecodealliance/componentize-js";
import { readFile, writeFile } from "node:fs/promises";

const here = (name) => new URL(name, import.meta.url);
const { component } = await componentize(await readFile(here("greeter.js"), "utf8"), {
  witWorld: await readFile(here("world.wit"), "utf8"),
  disableFeatures: ["http", "fetch-event", "stdio", "clocks", "random"],
});
await writeFile(process.argv[2], component);
