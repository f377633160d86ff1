;; The bench's guest by Extism's ABI: input and output go by the host's functions, eight bytes at a time, as the ones
;; that Extism's PDKs generate do.
(module
  (import "extism:host/env" "input_length" (func $input_length (result i64)))
  (import "extism:host/env" "input_load_u64" (func $input_load_u64 (param i64) (result i64)))
  (import "extism:host/env" "input_load_u8" (func $input_load_u8 (param i64) (result i32)))
  (import "extism:host/env" "alloc" (func $alloc (param i64) (result i64)))
  (import "extism:host/env" "store_u64" (func $store_u64 (param i64 i64)))
  (import "extism:host/env" "store_u8" (func $store_u8 (param i64 i32)))
  (import "extism:host/env" "output_set" (func $output_set (param i64 i64)))
  (memory (export "memory") 2)

  ;; Two i32 in, their sum out.
  (func (export "add") (result i32)
    (local $in i64) (local $out i64)
    (local.set $in (call $input_load_u64 (i64.const 0)))
    (local.set $out (call $alloc (i64.const 8)))
    (call $store_u64 (local.get $out)
      (i64.extend_i32_u
        (i32.add
          (i32.wrap_i64 (local.get $in))
          (i32.wrap_i64 (i64.shr_u (local.get $in) (i64.const 32))))))
    (call $output_set (local.get $out) (i64.const 4))
    (i32.const 0))

  (func (export "echo") (result i32)
    (local $length i64) (local $at i64) (local $out i64)
    (local.set $length (call $input_length))
    ;; Into this module's memory, as a guest that looks at its input has to.
    (loop $in
      (if (i64.le_u (i64.add (local.get $at) (i64.const 8)) (local.get $length))
        (then
          (i64.store (i32.wrap_i64 (local.get $at)) (call $input_load_u64 (local.get $at)))
          (local.set $at (i64.add (local.get $at) (i64.const 8)))
          (br $in))))
    (loop $in_rest
      (if (i64.lt_u (local.get $at) (local.get $length))
        (then
          (i32.store8 (i32.wrap_i64 (local.get $at)) (call $input_load_u8 (local.get $at)))
          (local.set $at (i64.add (local.get $at) (i64.const 1)))
          (br $in_rest))))
    (local.set $out (call $alloc (local.get $length)))
    (local.set $at (i64.const 0))
    (loop $out_again
      (if (i64.le_u (i64.add (local.get $at) (i64.const 8)) (local.get $length))
        (then
          (call $store_u64 (i64.add (local.get $out) (local.get $at)) (i64.load (i32.wrap_i64 (local.get $at))))
          (local.set $at (i64.add (local.get $at) (i64.const 8)))
          (br $out_again))))
    (loop $out_rest
      (if (i64.lt_u (local.get $at) (local.get $length))
        (then
          (call $store_u8 (i64.add (local.get $out) (local.get $at)) (i32.load8_u (i32.wrap_i64 (local.get $at))))
          (local.set $at (i64.add (local.get $at) (i64.const 1)))
          (br $out_rest))))
    (call $output_set (local.get $out) (local.get $length))
    (i32.const 0)))
