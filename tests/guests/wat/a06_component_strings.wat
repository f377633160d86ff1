;; Attack 6, in a component. Strings that are not UTF-8 come back as results: a trap. `nul` is valid text and arrives
;; whole, with the NUL in its middle.
(component
  (core module $m
    (memory (export "memory") 1)
    (data (i32.const 64) "a\ff\feb")
    (data (i32.const 80) "a\ed\a0\80b")
    (data (i32.const 96) "one\00two")
    (data (i32.const 112) "\00\d8a\00")
    (func $string (param i32 i32) (result i32)
      (i32.store (i32.const 0) (local.get 0))
      (i32.store (i32.const 4) (local.get 1))
      (i32.const 0))
    (func (export "not-utf8") (result i32) (call $string (i32.const 64) (i32.const 4)))
    (func (export "surrogate") (result i32) (call $string (i32.const 80) (i32.const 5)))
    (func (export "nul") (result i32) (call $string (i32.const 96) (i32.const 7)))
    (func (export "utf16-surrogate") (result i32) (call $string (i32.const 112) (i32.const 2))))
  (core instance $i (instantiate $m))
  (func (export "not-utf8") (result string) (canon lift (core func $i "not-utf8") (memory $i "memory")))
  (func (export "surrogate") (result string) (canon lift (core func $i "surrogate") (memory $i "memory")))
  (func (export "nul") (result string) (canon lift (core func $i "nul") (memory $i "memory")))
  (func (export "utf16-surrogate") (result string)
    (canon lift (core func $i "utf16-surrogate") (memory $i "memory") string-encoding=utf16)))
