"""Cordon for Python, over its C API: ctypes and nothing else. What a program needs to begin with, and no more."""
import ctypes
import json
import os

OK, E_SERVICE = 0, 507
P, SIZE, I32, U64 = ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int32, ctypes.c_uint64
DESTROY = ctypes.CFUNCTYPE(None, P)


class Text(ctypes.Structure):  # cordon_text, and cordon_bytes
    _fields_ = [("ptr", P), ("len", SIZE)]

    @classmethod
    def of(cls, value):
        raw = value if isinstance(value, bytes) else str(value).encode()
        view = cls(ctypes.cast(ctypes.c_char_p(raw), P), len(raw))
        view.kept = raw  # as long as the view
        return view

    def __str__(self):
        return ctypes.string_at(self.ptr, self.len).decode() if self.len else ""


class HostOptions(ctypes.Structure):
    _fields_ = [("size", SIZE), ("config_file", Text), ("grants_file", Text), ("audit_folder", Text), ("audit", P),
                ("audit_user", P), ("audit_destroy", P), ("log", P), ("log_user", P), ("log_destroy", P),
                ("code_cache", Text), ("code_cache_bytes_max", U64), ("compile_timeout_ns", U64),
                ("compile_memory_bytes", U64), ("compiler_path", Text), ("forbidden_roots", P),
                ("forbidden_roots_count", SIZE), ("compiler", I32), ("address_space", I32), ("traps", I32),
                ("max_instances", ctypes.c_uint32), ("threads", ctypes.c_uint32), ("queue_max", ctypes.c_uint32)]


class LoadOptions(ctypes.Structure):
    _fields_ = [("size", SIZE), ("grants", ctypes.POINTER(Text)), ("grants_count", SIZE), ("rest", P * 8),
                ("timeout_ns", U64), ("memory_bytes", U64), ("fuel", U64), ("cancel", P), ("progress", P),
                ("progress_user", P)]


SERVE = ctypes.CFUNCTYPE(I32, P, P, Text, P)


class ServiceFunction(ctypes.Structure):
    _fields_ = [("size", SIZE), ("name", Text), ("shape", Text), ("capability", Text), ("per_target", I32),
                ("payload", I32), ("runs", I32), ("reserved", I32), ("callback", SERVE), ("user", P), ("destroy", P)]


_lib = ctypes.CDLL(os.environ.get("CORDON_LIBRARY", "libcordon.so.0.1"))
assert _lib.cordon_abi_compatible(ctypes.c_uint32(1)), "this libcordon has another ABI"
for _name in ("code_name", "failure_message", "failure_remedy", "answer_json", "plugin_name"):
    getattr(_lib, f"cordon_{_name}").restype = Text


class Failure(Exception):
    def __init__(self, code, failure):
        self.code = str(_lib.cordon_code_name(I32(code)))
        self.message = str(_lib.cordon_failure_message(failure))
        self.remedy = str(_lib.cordon_failure_remedy(failure))
        _lib.cordon_failure_free(failure)
        super().__init__(f"{self.code}: {self.message}")


def _call(name, *arguments):
    failure = P()
    code = getattr(_lib, f"cordon_{name}")(*arguments, ctypes.byref(failure))
    if code != OK:
        raise Failure(code, failure)


class _Handle:
    """Frees itself at the end of a `with`."""

    def __init__(self, kind):
        self.kind, self.handle = kind, P()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        getattr(_lib, f"cordon_{self.kind}_free")(self.handle)
        self.handle = P()


class Plugin(_Handle):
    def __init__(self, host, source, grants):
        super().__init__("plugin")
        kept = list(map(Text.of, grants))  # an array copies the views, and not what they keep
        options = LoadOptions(size=ctypes.sizeof(LoadOptions), grants=(Text * len(kept))(*kept), grants_count=len(kept))
        _call("plugin_load", host.handle, Text.of(source), ctypes.byref(options), ctypes.byref(self.handle))

    def call(self, action, **parameters):
        answer = P()
        try:
            _call("plugin_call", self.handle, Text.of(action), Text.of(json.dumps(parameters)), None,
                  ctypes.byref(answer))
            return json.loads(str(_lib.cordon_answer_json(answer)))
        finally:
            _lib.cordon_answer_free(answer)


class Host(_Handle):
    def __init__(self, **options):
        super().__init__("host")
        self.callbacks = []  # as long as the host
        _call("host_new", ctypes.byref(HostOptions(size=ctypes.sizeof(HostOptions), **options)),
              ctypes.byref(self.handle))

    def load(self, source, grants=()):
        return Plugin(self, source, list(grants))

    def register(self, interface, functions):
        """`functions`: a name to (shape, capability, Python function)."""
        service = P()
        _call("service_new", Text.of(interface), ctypes.byref(service))
        try:
            for name, (shape, capability, function) in functions.items():
                texts = [Text.of(name), Text.of(shape), Text.of(capability)]
                serve = SERVE(_served(function))
                self.callbacks.append(serve)
                entry = ServiceFunction(ctypes.sizeof(ServiceFunction), *texts, callback=serve)
                _call("service_add", service, ctypes.byref(entry))
            _call("host_register", self.handle, service)
        finally:
            _lib.cordon_service_free(service)


def _served(function):
    def serve(_user, _call_of, payload, reply):
        try:
            answer = json.dumps(function(*json.loads(str(payload))))
            return _lib.cordon_reply_write(P(reply), Text.of(answer))
        except Exception as fault:  # none may leave a callback
            _lib.cordon_reply_fail(P(reply), Text.of(repr(fault)), Text.of(""))
            return E_SERVICE
    return serve
