// Loads a plugin that asks this program for prices: refused without a grant, then with it. Node or Bun, by koffi.
import koffi from "koffi";

const lib = koffi.load(process.env.CORDON_LIBRARY ?? "libcordon.so.0.1");
koffi.struct("cordon_text", { ptr: "const uint8_t *", len: "size_t" });
koffi.struct("cordon_view", { ptr: "void *", len: "size_t" }); // a cordon_text or cordon_bytes of the library's
koffi.proto("int32_t serve(void *user, void *call, cordon_view payload, void *reply)");
koffi.struct("cordon_service_function", {
  size: "size_t", name: "cordon_text", shape: "cordon_text", capability: "cordon_text",
  per_target: "int32_t", payload: "int32_t", runs: "int32_t", reserved: "int32_t",
  callback: "serve *", user: "void *", destroy: "void *",
});
koffi.struct("cordon_host_options", {
  size: "size_t", config_file: "cordon_text", grants_file: "cordon_text", audit_folder: "cordon_text",
  audit: "void *", audit_user: "void *", audit_destroy: "void *", log: "void *", log_user: "void *", log_destroy: "void *",
  code_cache: "cordon_text", code_cache_bytes_max: "uint64_t", compile_timeout_ns: "uint64_t",
  compile_memory_bytes: "uint64_t", compiler_path: "cordon_text", forbidden_roots: "void *",
  forbidden_roots_count: "size_t", compiler: "int32_t", address_space: "int32_t", traps: "int32_t",
  max_instances: "uint32_t", threads: "uint32_t", queue_max: "uint32_t",
});
koffi.struct("cordon_load_options", {
  size: "size_t", grants: "cordon_text *", grants_count: "size_t", roots: "void *", roots_count: "size_t",
  mounts: "void *", mounts_count: "size_t", environment: "void *", environment_count: "size_t", arguments: "void *",
  arguments_count: "size_t", timeout_ns: "uint64_t", memory_bytes: "uint64_t", fuel: "uint64_t", cancel: "void *",
  progress: "void *", progress_user: "void *",
});
const c = Object.fromEntries([
  "int32_t cordon_host_new(cordon_host_options *options, _Out_ void **host, _Out_ void **failure)",
  "void cordon_host_free(void *host)",
  "int32_t cordon_service_new(cordon_text name, _Out_ void **service, _Out_ void **failure)",
  "int32_t cordon_service_add(void *service, cordon_service_function *function, _Out_ void **failure)",
  "void cordon_service_free(void *service)",
  "int32_t cordon_host_register(void *host, void *service, _Out_ void **failure)",
  "int32_t cordon_plugin_load(void *host, cordon_text source, cordon_load_options *options, _Out_ void **plugin, _Out_ void **failure)",
  "void cordon_plugin_free(void *plugin)",
  "int32_t cordon_plugin_call(void *plugin, cordon_text action, cordon_text input, void *options, _Out_ void **answer, _Out_ void **failure)",
  "cordon_view cordon_answer_json(void *answer)",
  "void cordon_answer_free(void *answer)",
  "int32_t cordon_reply_write(void *reply, cordon_text bytes)",
  "int32_t cordon_reply_fail(void *reply, cordon_text message, cordon_text remedy)",
  "int32_t cordon_failure_code(void *failure)",
  "cordon_view cordon_code_name(int32_t code)",
  "cordon_view cordon_failure_message(void *failure)",
  "cordon_view cordon_failure_remedy(void *failure)",
  "void cordon_failure_free(void *failure)",
].map((declaration) => [declaration.match(/(\w+)\(/)[1], lib.func(declaration)]));

const text = (string) => {
  const bytes = Buffer.from(string, "utf8");
  return { ptr: bytes, len: bytes.length };
};
const shown = (view) =>
  view.len === 0 ? "" : Buffer.from(koffi.decode(view.ptr, koffi.array("uint8_t", Number(view.len), "Typed"))).toString();

class Failure extends Error {
  constructor(failure) {
    super(`${shown(c.cordon_code_name(c.cordon_failure_code(failure)))}: ${shown(c.cordon_failure_message(failure))}`);
    this.remedy = shown(c.cordon_failure_remedy(failure));
    c.cordon_failure_free(failure);
  }
}

// Calls a function whose last two arguments are an object and a failure; gives the object.
function make(call, ...args) {
  const [object, failure] = [[null], [null]];
  if (call(...args, object, failure) !== 0) throw new Failure(failure[0]);
  return object[0];
}
function done(call, ...args) {
  const failure = [null];
  if (call(...args, failure) !== 0) throw new Failure(failure[0]);
}

const stock = { shoes: 80 };
const functions = {
  "price-of": ["(string)->option<u32>", (article) => stock[article] ?? null],
  "describe": ["(string)->result<record{name:string,amount:u32,currency:enum{eur,usd}},string>", () => ({ err: "unknown" })],
  "total": ["(list<u32>)->u64", (amounts) => amounts.reduce((sum, amount) => sum + amount, 0)],
  "wait": ["()", () => undefined],
  "fail": ["()", () => { throw new Error("out of stock"); }],
};
const serve = (answer) => koffi.register((_user, _call, payload, reply) => {
  try {
    const value = answer(...JSON.parse(shown(payload) || "[]"));
    return c.cordon_reply_write(reply, text(value === undefined ? "" : JSON.stringify(value)));
  } catch (error) {
    c.cordon_reply_fail(reply, text(error.message), text(""));
    return 507; // CORDON_E_SERVICE
  }
}, "serve *");

const host = make(c.cordon_host_new, { size: koffi.sizeof("cordon_host_options"), compiler: 1 /* in this process */ });
const service = make(c.cordon_service_new, text("acme:shop/prices@1.0.0"));
for (const [name, [shape, answer]] of Object.entries(functions)) {
  done(c.cordon_service_add, service, {
    size: koffi.sizeof("cordon_service_function"), name: text(name), shape: text(shape), capability: text("prices"),
    runs: 1 /* on the caller's thread, which is JavaScript's */, callback: serve(answer),
  });
}
done(c.cordon_host_register, host, service);
c.cordon_service_free(service);

const load = (grants) => make(c.cordon_plugin_load, host, text(process.argv[2]), {
  size: koffi.sizeof("cordon_load_options"), grants: grants.map(text), grants_count: grants.length,
});
const call = (plugin, action, input) => {
  const answer = make(c.cordon_plugin_call, plugin, text(action), text(JSON.stringify(input)), null);
  const json = shown(c.cordon_answer_json(answer));
  c.cordon_answer_free(answer);
  return json;
};
try {
  load([]);
} catch (failure) {
  console.log(`refused: ${failure.message}\n  ${failure.remedy}`);
}
const shop = load(["host:prices"]);
console.log("greet:", call(shop, "greet", { name: "Ada" }));
console.log("price of shoes:", call(shop, "price", { article: "shoes" }));
console.log("total:", call(shop, "total", { amounts: [1, 2, 3] }));
try {
  call(shop, "failing", {});
} catch (failure) {
  console.log("failing:", failure.message);
}
c.cordon_plugin_free(shop);
c.cordon_host_free(host);
