;; Attack 20, as a core module on preview 1: poll_oneoff on a clock 2^63 ns away, on stdin, and on nothing. KILL at the
;; deadline; `poll-nothing` answers an errno that is not 0.
(module
  (import "wasi_snapshot_preview1" "poll_oneoff" (func $poll_oneoff (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_read" (func $fd_read (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  ;; A subscription: userdata u64, tag u8 at 8 (0 clock, 1 fd_read), then clock id u32 at 16, timeout u64 at 24.
  (func (export "sleep") (param $nanoseconds i64) (result i32)
    (i32.store8 (i32.const 8) (i32.const 0))
    (i32.store (i32.const 16) (i32.const 1))
    (i64.store (i32.const 24) (local.get $nanoseconds))
    (call $poll_oneoff (i32.const 0) (i32.const 512) (i32.const 1) (i32.const 1024)))
  (func (export "poll-nothing") (result i32)
    (call $poll_oneoff (i32.const 0) (i32.const 512) (i32.const 0) (i32.const 1024)))
  (func (export "read-input") (result i32)
    (i32.store (i32.const 0) (i32.const 64))
    (i32.store (i32.const 4) (i32.const 64))
    (drop (call $fd_read (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 16)))
    (i32.load (i32.const 16))))
