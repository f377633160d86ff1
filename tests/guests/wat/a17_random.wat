;; Attack 17. Random bytes without measure: `once(2^63)`, and `many` times a length that is allowed or not. A request
;; above the limit is a trap or a denial; the host's memory stays flat.
(component
  (import "wasi:random/random@0.2.0" (instance $random
    (export "get-random-bytes" (func (param "len" u64) (result (list u8))))))
  (core module $libc
    (memory (export "memory") 1100)
    (func (export "realloc") (param i32 i32 i32 i32) (result i32) (i32.const 1024)))
  (core instance $libc (instantiate $libc))
  (core func $bytes (canon lower (func $random "get-random-bytes")
    (memory $libc "memory") (realloc (func $libc "realloc"))))
  (core module $m
    (import "" "memory" (memory 1))
    (import "" "bytes" (func $bytes (param i64 i32)))
    (func (export "once") (param i64) (result i64)
      (call $bytes (local.get 0) (i32.const 16))
      (i64.load32_u (i32.const 20)))
    (func (export "many") (param $length i64) (param $times i32) (result i64)
      (local $total i64)
      (loop $next
        (call $bytes (local.get $length) (i32.const 16))
        (local.set $total (i64.add (local.get $total) (i64.load32_u (i32.const 20))))
        (br_if $next (local.tee $times (i32.sub (local.get $times) (i32.const 1)))))
      (local.get $total)))
  (core instance $i (instantiate $m (with "" (instance
    (export "memory" (memory $libc "memory")) (export "bytes" (func $bytes))))))
  (func (export "once") (param "length" u64) (result u64) (canon lift (core func $i "once")))
  (func (export "many") (param "length" u64) (param "times" u32) (result u64) (canon lift (core func $i "many"))))
