;; The core module of the bench: Cordon, wazero and V8 run these same bytes. Whoever calls `echo` writes into what
;; `alloc` gave, and reads where the answer says: address in the upper half, length in the lower.
(module
  (memory (export "memory") 2)
  (func (export "add") (param i32 i32) (result i32) (i32.add (local.get 0) (local.get 1)))
  (func (export "alloc") (param $length i32) (result i32)
    (if (i32.gt_u (local.get $length) (i32.const 65536)) (then (unreachable)))
    (i32.const 65536))
  (func (export "echo") (param $at i32) (param $length i32) (result i64)
    (i64.or
      (i64.shl (i64.extend_i32_u (local.get $at)) (i64.const 32))
      (i64.extend_i32_u (local.get $length)))))
