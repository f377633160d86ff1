"""Extism itself (PyPI's extism-sys), by its C functions; and the plugins that others wrote for it, pinned."""
import ctypes
import hashlib
import json
import os
import pathlib
import shutil
import sys
import urllib.request
import zipfile

GO_SDK = "v1.7.1"
GO_SDK_SHA256 = "3a68a81879ded092ae4ca133cec8b050554a63215f43785888a38cfb22a0f6e9"
PROXIES = "https://proxy.golang.org"


class Missing(Exception):
    """What the comparison needs and this machine cannot get."""


def cache_folder():
    base = os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache"
    return pathlib.Path(os.environ.get("CORDON_BUILD_CACHE") or pathlib.Path(base) / "cordon-build") / "extism"


def go_sdk():
    """The folder of the .wasm files of Extism's Go SDK."""
    folder = cache_folder() / f"go-sdk-{GO_SDK}"
    if folder.exists():
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    partial = folder.with_name(f"{folder.name}.{os.getpid()}")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir()
    proxy = os.environ.get("GOPROXY", PROXIES).split(",")[0]
    archive = partial / "sdk.zip"
    try:
        with urllib.request.urlopen(f"{proxy}/github.com/extism/go-sdk/@v/{GO_SDK}.zip", timeout=60) as answer:
            archive.write_bytes(answer.read())
    except (OSError, ValueError) as error:
        raise Missing(f"the Go proxy gave no go-sdk: {error}") from error
    if hashlib.sha256(archive.read_bytes()).hexdigest() != GO_SDK_SHA256:
        raise Missing("the archive of go-sdk is not the one that is pinned")
    with zipfile.ZipFile(archive) as sdk:
        for name in sdk.namelist():
            if name.endswith(".wasm") and "/wasm/" in name:
                (partial / pathlib.Path(name).name).write_bytes(sdk.read(name))
    archive.unlink()
    try:
        partial.rename(folder)
    except OSError:
        shutil.rmtree(partial)
    return folder


class Value(ctypes.Structure):
    class Union(ctypes.Union):
        _fields_ = [("i32", ctypes.c_int32), ("i64", ctypes.c_int64), ("f32", ctypes.c_float), ("f64", ctypes.c_double)]

    _fields_ = [("kind", ctypes.c_int), ("of", Union)]


CALLBACK = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.POINTER(Value), ctypes.c_uint64, ctypes.POINTER(Value),
                            ctypes.c_uint64, ctypes.c_void_p)
I32, I64, NUMBER = 0, 1, 2  # NUMBER: an i64 that is no offset


def library():
    for folder in map(pathlib.Path, sys.path):
        found = folder / "extism_sys" / "libextism_sys.so"
        if found.exists():
            break
    else:
        raise Missing("extism-sys is not installed: it has a wheel for x86-64 only")
    lib = ctypes.CDLL(str(found))
    pointer, size, text = ctypes.c_void_p, ctypes.c_uint64, ctypes.c_char_p
    for name, result, arguments in (
        ("extism_plugin_new", pointer,
         [text, size, ctypes.POINTER(pointer), size, ctypes.c_bool, ctypes.POINTER(text)]),
        ("extism_plugin_call", ctypes.c_int32, [pointer, text, text, size]),
        ("extism_plugin_error", text, [pointer]),
        ("extism_plugin_output_length", size, [pointer]),
        ("extism_plugin_output_data", pointer, [pointer]),
        ("extism_plugin_free", None, [pointer]),
        ("extism_plugin_allow_http_response_headers", None, [pointer]),
        ("extism_function_new", pointer,
         [text, ctypes.POINTER(ctypes.c_int), size, ctypes.POINTER(ctypes.c_int), size, CALLBACK, pointer, pointer]),
        ("extism_function_set_namespace", None, [pointer, text]),
        ("extism_current_plugin_memory", pointer, [pointer]),
        ("extism_current_plugin_memory_alloc", size, [pointer, size]),
        ("extism_current_plugin_memory_length", size, [pointer, size]),
    ):  # fmt: skip
        function = getattr(lib, name)
        function.restype, function.argtypes = result, arguments
    return lib


class Answer:
    """`code` as Extism gives it; `error` is what it says, None when it went well."""

    def __init__(self, code, output, error):
        self.code, self.output, self.error = code, output, error

    def __repr__(self):
        return f"code {self.code}, output {self.output!r}, error {self.error!r}"


class Extism:
    """One plugin. `wasm`: paths, or (name, path). `functions`: (namespace, name, parameters, results, python function);
    I64 is the offset of a block, whose bytes the function takes and gives; I32 and NUMBER are numbers."""

    def __init__(self, *wasm, config=None, allowed_hosts=(), allowed_paths=None, functions=(), limits=None):
        self.lib = library()
        modules = [{"path": str(w)} if not isinstance(w, tuple) else {"name": w[0], "path": str(w[1])} for w in wasm]
        paths = {str(host): guest for host, guest in (allowed_paths or {}).items()}
        manifest = {"wasm": modules, "config": config or {}, "allowed_hosts": list(allowed_hosts),
                    "allowed_paths": paths, **(limits or {})}  # fmt: skip
        document = json.dumps(manifest).encode()
        made = [self.function(*of) for of in functions]
        handles = (ctypes.c_void_p * len(made))(*(handle for handle, _ in made))
        self.kept = made
        why = ctypes.c_char_p()
        self.plugin = self.lib.extism_plugin_new(document, len(document), handles, len(made), True, ctypes.byref(why))
        self.error = None if self.plugin else why.value.decode(errors="replace")

    def function(self, namespace, name, parameters, results, answer):
        def bytes_at(current, at):
            memory = self.lib.extism_current_plugin_memory(current)
            return ctypes.string_at(memory + at, self.lib.extism_current_plugin_memory_length(current, at))

        def called(current, given, _, wanted, __, ___):
            values = [given[i].of.i32 if kind == I32 else
                      given[i].of.i64 if kind == NUMBER else bytes_at(current, given[i].of.i64)
                      for i, kind in enumerate(parameters)]  # fmt: skip
            result = answer(*values)
            if not results:
                return
            wanted[0].kind = min(results[0], I64)
            if results[0] != I64:
                setattr(wanted[0].of, "i32" if results[0] == I32 else "i64", result)
                return
            at = self.lib.extism_current_plugin_memory_alloc(current, len(result))
            ctypes.memmove(self.lib.extism_current_plugin_memory(current) + at, result, len(result))
            wanted[0].of.i64 = at

        callback = CALLBACK(called)
        kinds = lambda of: (ctypes.c_int * len(of))(*(min(kind, I64) for kind in of))  # noqa: E731
        handle = self.lib.extism_function_new(name.encode(), kinds(parameters), len(parameters), kinds(results),
                                              len(results), callback, None, None)
        self.lib.extism_function_set_namespace(handle, namespace.encode())
        return handle, callback

    def call(self, name, data=b""):
        if not self.plugin:
            return Answer(None, b"", self.error)
        self.lib.extism_plugin_allow_http_response_headers(self.plugin)
        code = self.lib.extism_plugin_call(self.plugin, name.encode(), data, len(data))
        said = self.lib.extism_plugin_error(self.plugin)
        output = ctypes.string_at(self.lib.extism_plugin_output_data(self.plugin),
                                  self.lib.extism_plugin_output_length(self.plugin))
        failed = code != 0 or said
        return Answer(code, output, (said or b"").decode(errors="replace") if failed else None)
