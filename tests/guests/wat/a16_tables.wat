;; Attack 16. Tables: grown by 2^32-1 at once (the answer is -1), and step by step until it may not (the answer is the
;; elements gained, within the limit). `until-trap` traps when it may not, as programs that run out of something do.
(component
  (core module $m
    (table $t 1 funcref)
    (func (export "at-once") (result i32) (table.grow $t (ref.null func) (i32.const -1)))
    (func (export "step-by-step") (result i32)
      (local $gained i32)
      (loop $next
        (if (i32.ne (table.grow $t (ref.null func) (i32.const 1000)) (i32.const -1))
          (then (local.set $gained (i32.add (local.get $gained) (i32.const 1000))) (br $next))))
      (local.get $gained))
    (func (export "until-trap")
      (loop $next
        (if (i32.eq (table.grow $t (ref.null func) (i32.const 1000)) (i32.const -1)) (then unreachable))
        (br $next))))
  (core instance $i (instantiate $m))
  (func (export "at-once") (result s32) (canon lift (core func $i "at-once")))
  (func (export "step-by-step") (result s32) (canon lift (core func $i "step-by-step")))
  (func (export "until-trap") (canon lift (core func $i "until-trap"))))
