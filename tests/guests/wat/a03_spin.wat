;; Attack 3. Loops that never end: empty, and over all of memory by bulk operations. KILL <= deadline + 10 ms.
;; fill and copy touch their memory (64 MiB, so the limit must allow 65 MiB) before they loop.
(component
  (core module $m
    (memory 1024)
    (func (export "spin") (loop $again (br $again)))
    (func (export "fill")
      (loop $again
        (memory.fill (i32.const 0) (i32.const 165) (i32.const 0x4000000))
        (br $again)))
    (func (export "copy")
      (memory.fill (i32.const 0) (i32.const 165) (i32.const 0x4000000))
      (loop $again
        (memory.copy (i32.const 0) (i32.const 1) (i32.const 0x3ffffff))
        (br $again)))
    ;; Touches all of memory once, so that a test can start its clock on warm pages.
    (func (export "touch") (memory.fill (i32.const 0) (i32.const 90) (i32.const 0x4000000))))
  (core instance $i (instantiate $m))
  (func (export "spin") (canon lift (core func $i "spin")))
  (func (export "fill") (canon lift (core func $i "fill")))
  (func (export "copy") (canon lift (core func $i "copy")))
  (func (export "touch") (canon lift (core func $i "touch"))))
