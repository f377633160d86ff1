;; Sends 2 GiB that it does not have.
(module
  (import "fledge" "send" (func $send (param i32 i32)))
  (memory (export "memory") 1)
  (func (export "_start") (call $send (i32.const 8) (i32.const 0x80000000))))
