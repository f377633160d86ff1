// Node's side of the bench: bench_core.wasm in V8, driven by lines on stdin (bench/peers/README.md).
import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";

const module = new WebAssembly.Module(readFileSync(`${process.argv[2]}/bench_core.wasm`));
const { add, alloc, echo, memory } = new WebAssembly.Instance(module).exports;

const sample = (size) => Uint8Array.from({ length: size }, (_, i) => 97 + (i % 26));

function expect(held, what) {
  if (!held) throw new Error(`${what} answered something else`);
}

// In by a copy, out by a copy into bytes of their own.
function echoed(text) {
  const at = alloc(text.length);
  new Uint8Array(memory.buffer, at, text.length).set(text);
  const answer = echo(at, text.length);
  const from = Number(answer >> 32n);
  return new Uint8Array(memory.buffer).slice(from, from + Number(answer & 0xffffffffn));
}

function fresh() {
  expect(new WebAssembly.Instance(module).exports.add(40, 2) === 42, "add");
}

const short = sample(1 << 10), long = sample(64 << 10);
const calls = {
  "fresh": fresh,
  "warm-add": () => expect(add(40, 2) === 42, "add"),
  "echo-1k": () => expect(echoed(short).length === short.length, "echo"),
  "echo-64k": () => expect(echoed(long).length === long.length, "echo"),
};

expect(add(2, 3) === 5, "add");
for (const text of [sample(0), sample(1), short, long]) expect(Buffer.from(echoed(text)).equals(Buffer.from(text)), "echo");
fresh();
console.log(`ready Node ${process.versions.node} (V8 ${process.versions.v8})`);

createInterface({ input: process.stdin }).on("line", (line) => {
  const [call, times] = line.split(" ");
  const once = calls[call];
  if (!once) return console.log(`error there is no call ${call}`);
  try {
    const start = process.hrtime.bigint();
    for (let left = Number(times); left > 0; --left) once();
    console.log(`ns ${process.hrtime.bigint() - start}`);
  } catch (error) {
    console.log(`error ${error.message}`);
  }
});
