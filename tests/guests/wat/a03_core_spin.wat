;; Attack 3, as a core module. KILL <= deadline + 10 ms.
(module
  (memory (export "memory") 1024)
  (func (export "spin") (loop $again (br $again)))
  (func (export "fill")
    (loop $again
      (memory.fill (i32.const 0) (i32.const 165) (i32.const 0x4000000))
      (br $again)))
  (func (export "copy")
    (loop $again
      (memory.copy (i32.const 0) (i32.const 1) (i32.const 0x3ffffff))
      (br $again))))
