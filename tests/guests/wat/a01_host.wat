;; Attack 1. Asks for an interface of a host that is not there. E_LINK; nothing runs.
(component
  (import "acme:vault/secrets@1.2.3" (instance $vault
    (export "read" (func (param "name" string) (result string)))
    (export "wipe" (func))))
  (core module $libc
    (memory (export "memory") 1)
    (func (export "realloc") (param i32 i32 i32 i32) (result i32) i32.const 1024))
  (core instance $libc (instantiate $libc))
  (core func $wipe (canon lower (func $vault "wipe")))
  (core module $m
    (import "vault" "wipe" (func $wipe))
    (func $start (call $wipe))
    (start $start)
    (func (export "run")))
  (core instance $i (instantiate $m (with "vault" (instance (export "wipe" (func $wipe))))))
  (func (export "run") (canon lift (core func $i "run"))))
