;; Attack 6. Paths that are not UTF-8, hold a lone surrogate, an overlong form or a NUL, given to preview 1. Each export
;; answers the errno of opening such a path for reading: never 0, and never the file before the NUL (data.txt).
(module
  (import "wasi_snapshot_preview1" "path_open"
    (func $path_open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (data (i32.const 64) "a\ff\feb")
  (data (i32.const 128) "a\ed\a0\80b")
  (data (i32.const 192) "data.txt\00.png")
  (data (i32.const 256) "\c0\ae\c0\ae/x")
  (data (i32.const 320) "ab\e2\82")
  (func $open (param $at i32) (param $length i32) (result i32)
    (call $path_open (i32.const 3) (i32.const 0) (local.get $at) (local.get $length) (i32.const 0)
                     (i64.const 2) (i64.const 2) (i32.const 0) (i32.const 16)))
  (func (export "not-utf8") (result i32) (call $open (i32.const 64) (i32.const 4)))
  (func (export "surrogate") (result i32) (call $open (i32.const 128) (i32.const 5)))
  (func (export "nul") (result i32) (call $open (i32.const 192) (i32.const 13)))
  (func (export "overlong") (result i32) (call $open (i32.const 256) (i32.const 6)))
  (func (export "truncated") (result i32) (call $open (i32.const 320) (i32.const 4))))
