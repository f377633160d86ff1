;; Attack 1. fd_write with one parameter too few. E_LINK.
(module
  (import "wasi_snapshot_preview1" "fd_write" (func (param i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (func (export "run")))
