;; Attack 4, as a core module: direct, mutual, with large frames, and a host import called with the stack nearly full.
(module
  (import "wasi_snapshot_preview1" "fd_write" (func $fd_write (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (func $direct (export "direct") (result i32) (i32.add (call $direct) (i32.const 1)))
  (func $even (export "mutual") (result i32) (i32.add (call $odd) (i32.const 1)))
  (func $odd (result i32) (i32.add (call $even) (i32.const 1)))
  (func $host (export "through-host") (result i32)
    (drop (call $fd_write (i32.const 1) (i32.const 0) (i32.const 0) (i32.const 8)))
    (i32.add (call $host) (i32.const 1)))
  (func (export "ok") (result i32) (i32.const 42)))
