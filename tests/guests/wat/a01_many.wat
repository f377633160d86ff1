;; Attack 1. Four imports that are not there: one error names all four. `wasi:random/random` is linked as usual.
(component
  (import "wasi:random/random@0.2.0" (instance (export "get-random-u64" (func (result u64)))))
  (import "wasi:keyvalue/store@0.2.0-draft" (instance (export "open" (func (param "name" string)))))
  (import "wasi:sockets/ip-name-lookup@0.2.0" (instance (export "look-up" (func (param "name" string)))))
  (import "acme:shell/exec@0.1.0" (instance (export "run" (func (param "line" string) (result s32)))))
  (import "ask" (func (param "question" string) (result string)))
  (core module $m
    (func $start unreachable)
    (start $start)
    (func (export "run")))
  (core instance $i (instantiate $m))
  (func (export "run") (canon lift (core func $i "run"))))
