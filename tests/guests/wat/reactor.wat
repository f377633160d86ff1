;; A library of preview 1: `_initialize` comes first, once in each instance; `begun` says how often it came.
(module
  (import "wasi_snapshot_preview1" "sched_yield" (func $yield (result i32)))
  (memory (export "memory") 1)
  (global $begun (mut i32) (i32.const 0))
  (func (export "_initialize")
    (drop (call $yield))
    (global.set $begun (i32.add (global.get $begun) (i32.const 1))))
  (func (export "begun") (result i32) (global.get $begun)))
