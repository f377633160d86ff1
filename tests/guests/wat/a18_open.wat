;; Attack 18, as a core module on preview 1: opens "data.txt" in the first preopened folder again and again and closes
;; none. `open-many` answers the count, `errno-of-many` what ended it; the host's descriptors stay below the limit.
(module
  (import "wasi_snapshot_preview1" "path_open"
    (func $path_open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (data (i32.const 64) "data.txt")
  (global $errno (mut i32) (i32.const 0))
  (func $open (export "open-many") (param $limit i32) (result i32)
    (local $opened i32)
    (loop $next
      (global.set $errno (call $path_open (i32.const 3) (i32.const 0) (i32.const 64) (i32.const 8) (i32.const 0)
                                          (i64.const 2) (i64.const 2) (i32.const 0) (i32.const 16)))
      (if (i32.eqz (global.get $errno))
        (then
          (local.set $opened (i32.add (local.get $opened) (i32.const 1)))
          (br_if $next (i32.lt_u (local.get $opened) (local.get $limit))))))
    (local.get $opened))
  (func (export "errno-of-many") (param $limit i32) (result i32)
    (drop (call $open (local.get $limit)))
    (global.get $errno)))
