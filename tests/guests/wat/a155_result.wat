;; Attacks 154 and 155, in a component: the same text as the result of a call, and as its error.
(component
  (core module $m
    (memory (export "memory") 1)
    (data (i32.const 64) "\1b[2J\1b]52;c;ZXZpbA==\07\0d\08\e2\80\aeabc\u{9b}31m<script>\0a")
    (func (export "text") (result i32)
      (i32.store (i32.const 4) (i32.const 64))
      (i32.store (i32.const 8) (i32.const 39))
      (i32.const 4))
    (func (export "fail") (result i32)
      (i32.store8 (i32.const 0) (i32.const 1))
      (i32.store (i32.const 4) (i32.const 64))
      (i32.store (i32.const 8) (i32.const 39))
      (i32.const 0)))
  (core instance $i (instantiate $m))
  (func (export "text") (result string) (canon lift (core func $i "text") (memory $i "memory")))
  (func (export "fail") (result (result string (error string)))
    (canon lift (core func $i "fail") (memory $i "memory"))))
