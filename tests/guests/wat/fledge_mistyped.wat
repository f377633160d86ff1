;; Declares send with lengths of 64 bits.
(module
  (import "fledge" "send" (func $send (param i64 i64)))
  (memory (export "memory") 1)
  (func (export "_start") (call $send (i64.const 0) (i64.const 0))))
