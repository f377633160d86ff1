;; A trap three named functions deep, in a component: the backtrace names innermost, middle and outermost.
(component
  (core module $m
    (func $innermost unreachable)
    (func $middle (call $innermost))
    (func $outermost (export "run") (call $middle))
    (func $divide (export "divide") (param i32 i32) (result i32) (i32.div_s (local.get 0) (local.get 1)))
    (memory 1)
    (func $outside (export "outside") (result i32) (i32.load (i32.const 0x7fffffff))))
  (core instance $i (instantiate $m))
  (func (export "run") (canon lift (core func $i "run")))
  (func (export "divide") (param "a" s32) (param "b" s32) (result s32) (canon lift (core func $i "divide")))
  (func (export "outside") (result s32) (canon lift (core func $i "outside"))))
