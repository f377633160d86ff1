;; A plugin for Extism that asks the embedding program: `price-of` (an article in, its price out) and `announce`
;; (a text in, a text out, and a number beside).
(module
  (import "extism:host/env" "input_offset" (func $input (result i64)))
  (import "extism:host/env" "length" (func $length (param i64) (result i64)))
  (import "extism:host/env" "output_set" (func $output (param i64 i64)))
  (import "extism:host/env" "error_set" (func $error (param i64)))
  (import "extism:host/env" "alloc" (func $alloc (param i64) (result i64)))
  (import "extism:host/env" "store_u8" (func $store (param i64 i32)))
  (import "extism:host/user" "price_of" (func $price_of (param i64) (result i32)))
  (import "extism:host/user" "announce" (func $announce (param i64 i32) (result i64)))
  (memory (export "memory") 1)

  (func (export "price_of") (result i32) (local $price i32) (local $out i64)
    (local.set $price (call $price_of (call $input)))
    ;; Without a price: the article is the error.
    (if (i32.eqz (local.get $price)) (then (call $error (call $input)) (return (i32.const 1))))
    (local.set $out (call $alloc (i64.const 2)))
    (call $store (local.get $out) (i32.add (i32.div_u (local.get $price) (i32.const 10)) (i32.const 48)))
    (call $store (i64.add (local.get $out) (i64.const 1))
      (i32.add (i32.rem_u (local.get $price) (i32.const 10)) (i32.const 48)))
    (call $output (local.get $out) (i64.const 2))
    (i32.const 0))

  (func (export "announce") (result i32) (local $out i64)
    (local.set $out (call $announce (call $input) (i32.const 2)))
    (call $output (local.get $out) (call $length (local.get $out)))
    (i32.const 0)))
