;; Attack 16. A 64-bit memory that begins beyond any address space. Refused at compilation or instantiation; no panic.
(module
  (memory (export "memory") i64 0x800000000000)
  (func (export "run")))
