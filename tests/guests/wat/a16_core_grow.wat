;; Attack 16, as a core module: `grow` pages until memory.grow answers -1; `at-once` asks for 2^32-1 pages.
(module
  (memory (export "memory") 1)
  (func (export "grow") (result i32)
    (local $pages i32)
    (loop $next
        (if (i32.ne (memory.grow 0 (i32.const 16)) (i32.const -1))
          (then (local.set $pages (i32.add (local.get $pages) (i32.const 16))) (br $next))))
    (local.get $pages))
  (func (export "at-once") (result i32) (memory.grow (i32.const -1))))
