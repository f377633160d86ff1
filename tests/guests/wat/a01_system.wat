;; Attack 1. A core module that imports env.system, as C libraries do. E_LINK; the start function, which would create
;; a file and print, never runs.
(module
  (import "env" "system" (func $system (param i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_write" (func $fd_write (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "path_open"
    (func $path_open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (data (i32.const 16) "ran\n")
  (data (i32.const 32) "start-ran")
  (func $start
    (drop (call $path_open (i32.const 3) (i32.const 0) (i32.const 32) (i32.const 9) (i32.const 1)
                           (i64.const 64) (i64.const 64) (i32.const 0) (i32.const 64)))
    (i32.store (i32.const 0) (i32.const 16))
    (i32.store (i32.const 4) (i32.const 4))
    (drop (call $fd_write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8)))
    (drop (call $system (i32.const 16))))
  (start $start)
  (func (export "run") (result i32) (call $system (i32.const 16))))
