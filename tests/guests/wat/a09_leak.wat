;; Attack 9. `fill` writes a pattern over memory (which it grows to 64 pages), a table, a global and the stack; `scan`,
;; called in another instance, counts what is left of it: 0, in every round. `scan` also grows, to look into fresh pages.
(component
  (core module $m
    (memory 1 64)
    (table $t 64 4096 funcref)
    (elem declare func $mark)
    (global $g (mut i64) (i64.const 0))
    (func $mark)
    (func $deep (param $pattern i64) (param $left i32) (result i64)
      (local $a i64) (local $b i64) (local $c i64) (local $d i64)
      (local.set $a (local.get $pattern))
      (local.set $b (i64.rotl (local.get $pattern) (i64.const 8)))
      (if (i32.eqz (local.get $left)) (then (return (local.get $b))))
      (local.set $c (call $deep (local.get $pattern) (i32.sub (local.get $left) (i32.const 1))))
      (i64.xor (local.get $a) (i64.xor (local.get $b) (local.get $c))))
    (func (export "fill") (param $pattern i64)
      (local $at i32)
      (drop (memory.grow (i32.const 63)))
      (drop (table.grow $t (ref.func $mark) (i32.const 1024)))
      (table.fill $t (i32.const 0) (ref.func $mark) (table.size $t))
      (global.set $g (local.get $pattern))
      (loop $next
        (i64.store (local.get $at) (local.get $pattern))
        (br_if $next
          (i32.lt_u (local.tee $at (i32.add (local.get $at) (i32.const 8))) (i32.mul (memory.size) (i32.const 65536)))))
      (drop (call $deep (local.get $pattern) (i32.const 1000))))
    (func (export "scan") (result i32)
      (local $at i32) (local $hits i32)
      (drop (memory.grow (i32.const 63)))
      (drop (table.grow $t (ref.null func) (i32.const 1024)))
      (loop $next
        (if (i64.ne (i64.load (local.get $at)) (i64.const 0))
          (then (local.set $hits (i32.add (local.get $hits) (i32.const 1)))))
        (br_if $next
          (i32.lt_u (local.tee $at (i32.add (local.get $at) (i32.const 8))) (i32.mul (memory.size) (i32.const 65536)))))
      (local.set $at (i32.const 0))
      (loop $next
        (if (i32.eqz (ref.is_null (table.get $t (local.get $at))))
          (then (local.set $hits (i32.add (local.get $hits) (i32.const 1)))))
        (br_if $next (i32.lt_u (local.tee $at (i32.add (local.get $at) (i32.const 1))) (table.size $t))))
      (if (i64.ne (global.get $g) (i64.const 0))
        (then (local.set $hits (i32.add (local.get $hits) (i32.const 1)))))
      (local.get $hits)))
  (core instance $i (instantiate $m))
  (func (export "fill") (param "pattern" u64) (canon lift (core func $i "fill")))
  (func (export "scan") (result u32) (canon lift (core func $i "scan"))))
