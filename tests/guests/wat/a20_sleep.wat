;; Attack 20, in a component. Blocks in the host while no wasm runs: a sleep of 2^63 ns, a poll of many such sleeps, a
;; poll of nothing (a trap by WASI's rules). KILL at the deadline.
(component
  (import "wasi:io/poll@0.2.0" (instance $poll
    (export "pollable" (type $p (sub resource)))
    (export "[method]pollable.block" (func (param "self" (borrow $p))))
    (export "poll" (func (param "in" (list (borrow $p))) (result (list u32))))))
  (alias export $poll "pollable" (type $pollable))
  (import "wasi:clocks/monotonic-clock@0.2.0" (instance $clock
    (alias outer 1 $pollable (type $outer))
    (export "pollable" (type $p (eq $outer)))
    (export "subscribe-duration" (func (param "when" u64) (result (own $p))))))
  (core module $libc
    (memory (export "memory") 1)
    (func (export "realloc") (param i32 i32 i32 i32) (result i32) (i32.const 32768)))
  (core instance $libc (instantiate $libc))
  (core func $subscribe (canon lower (func $clock "subscribe-duration")))
  (core func $block (canon lower (func $poll "[method]pollable.block")))
  (core func $poll (canon lower (func $poll "poll") (memory $libc "memory") (realloc (func $libc "realloc"))))
  (core module $m
    (import "" "memory" (memory 1))
    (import "" "subscribe" (func $subscribe (param i64) (result i32)))
    (import "" "block" (func $block (param i32)))
    (import "" "poll" (func $poll (param i32 i32 i32)))
    (func (export "sleep") (param i64) (call $block (call $subscribe (local.get 0))))
    (func (export "poll-nothing") (call $poll (i32.const 1024) (i32.const 0) (i32.const 16)))
    (func (export "poll-many") (param $count i32)
      (local $k i32)
      (loop $next
        (i32.store (i32.add (i32.const 1024) (i32.shl (local.get $k) (i32.const 2)))
          (call $subscribe (i64.const 0x7fffffffffffffff)))
        (br_if $next (i32.lt_u (local.tee $k (i32.add (local.get $k) (i32.const 1))) (local.get $count))))
      (call $poll (i32.const 1024) (local.get $count) (i32.const 16))))
  (core instance $i (instantiate $m (with "" (instance
    (export "memory" (memory $libc "memory")) (export "subscribe" (func $subscribe))
    (export "block" (func $block)) (export "poll" (func $poll))))))
  (func (export "sleep") (param "nanoseconds" u64) (canon lift (core func $i "sleep")))
  (func (export "poll-nothing") (canon lift (core func $i "poll-nothing")))
  (func (export "poll-many") (param "count" u32) (canon lift (core func $i "poll-many"))))
