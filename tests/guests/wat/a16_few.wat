;; Attack 16, within the usual count of memories: 3 core instances with a memory each, so that only the sum over the
;; store can stop them. `grow` answers the pages gained; `touch` also writes to each of them.
(component
  (core module $m
    (memory 1)
    (func (export "grow") (result i32)
      (local $pages i32)
      (loop $next
        (if (i32.ne (memory.grow 0 (i32.const 16)) (i32.const -1))
          (then (local.set $pages (i32.add (local.get $pages) (i32.const 16))) (br $next))))
      (memory.fill (i32.const 0) (i32.const 165) (i32.mul (memory.size) (i32.const 65536)))
      (local.get $pages)))
  (core instance $i0 (instantiate $m))
  (core instance $i1 (instantiate $m))
  (core instance $i2 (instantiate $m))
  (core module $all
    (import "0" "grow" (func $g0 (result i32)))
    (import "1" "grow" (func $g1 (result i32)))
    (import "2" "grow" (func $g2 (result i32)))
    (func (export "grow") (result i32)
      (i32.const 0)
      (i32.add (call $g0))
      (i32.add (call $g1))
      (i32.add (call $g2))
    ))
  (core instance $all (instantiate $all
    (with "0" (instance $i0))
    (with "1" (instance $i1))
    (with "2" (instance $i2))
  ))
  (func (export "grow") (result u32) (canon lift (core func $all "grow"))))
