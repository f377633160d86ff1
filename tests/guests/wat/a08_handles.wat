;; Attack 8. Handles: many, dropped twice, used after the drop, invented, and of another component instance. Each
;; misuse is E_HANDLE; `many` ends at the limit of handles, and the host's memory stays as it was.
(component
  (type $thing (resource (rep i32)))
  (core func $new (canon resource.new $thing))
  (core func $rep (canon resource.rep $thing))
  (core func $drop (canon resource.drop $thing))
  (core module $m
    (import "" "new" (func $new (param i32) (result i32)))
    (import "" "rep" (func $rep (param i32) (result i32)))
    (import "" "drop" (func $drop (param i32)))
    (func (export "many") (param $count i32) (result i32)
      (local $made i32)
      (loop $next
        (drop (call $new (local.get $made)))
        (local.set $made (i32.add (local.get $made) (i32.const 1)))
        (br_if $next (i32.lt_u (local.get $made) (local.get $count))))
      (local.get $made))
    ;; As many, each dropped at once: this must work.
    (func (export "churn") (param $count i32) (result i32)
      (local $made i32)
      (loop $next
        (call $drop (call $new (local.get $made)))
        (local.set $made (i32.add (local.get $made) (i32.const 1)))
        (br_if $next (i32.lt_u (local.get $made) (local.get $count))))
      (local.get $made))
    (func (export "double-drop")
      (local $h i32)
      (local.set $h (call $new (i32.const 7)))
      (call $drop (local.get $h))
      (call $drop (local.get $h)))
    (func (export "use-after-drop") (result i32)
      (local $h i32)
      (local.set $h (call $new (i32.const 7)))
      (call $drop (local.get $h))
      (call $rep (local.get $h)))
    (func (export "invented") (param i32) (result i32) (call $rep (local.get 0))))
  (core instance $i (instantiate $m (with "" (instance
    (export "new" (func $new)) (export "rep" (func $rep)) (export "drop" (func $drop))))))
  (func (export "many") (param "count" u32) (result u32) (canon lift (core func $i "many")))
  (func (export "churn") (param "count" u32) (result u32) (canon lift (core func $i "churn")))
  (func (export "double-drop") (canon lift (core func $i "double-drop")))
  (func (export "use-after-drop") (result u32) (canon lift (core func $i "use-after-drop")))
  (func (export "invented") (param "number" u32) (result u32) (canon lift (core func $i "invented")))

  ;; Three siblings: one makes things, one holds a thing and gives its number to the third, which drops it.
  (component $maker
    (type $t (resource (rep i32)))
    (export $thing "thing" (type $t))
    (core func $new (canon resource.new $t))
    (core module $m
      (import "" "new" (func $new (param i32) (result i32)))
      (func (export "make") (result i32) (call $new (i32.const 7))))
    (core instance $i (instantiate $m (with "" (instance (export "new" (func $new))))))
    (func (export "make") (result (own $thing)) (canon lift (core func $i "make"))))
  (component $thief
    (import "thing" (type $thing (sub resource)))
    (core func $drop (canon resource.drop $thing))
    (core module $m
      (import "" "drop" (func $drop (param i32)))
      (func (export "steal") (param i32) (call $drop (local.get 0))))
    (core instance $i (instantiate $m (with "" (instance (export "drop" (func $drop))))))
    (func (export "steal") (param "number" u32) (canon lift (core func $i "steal"))))
  (component $holder
    (import "thing" (type $thing (sub resource)))
    (import "make" (func $make (result (own $thing))))
    (import "steal" (func $steal (param "number" u32)))
    (core func $make (canon lower (func $make)))
    (core func $steal (canon lower (func $steal)))
    (core module $m
      (import "" "make" (func $make (result i32)))
      (import "" "steal" (func $steal (param i32)))
      (func (export "run") (call $steal (call $make))))
    (core instance $i (instantiate $m (with "" (instance
      (export "make" (func $make)) (export "steal" (func $steal))))))
    (func (export "run") (canon lift (core func $i "run"))))
  (instance $maker (instantiate $maker))
  (alias export $maker "thing" (type $made))
  (instance $thief (instantiate $thief (with "thing" (type $made))))
  (instance $holder (instantiate $holder (with "thing" (type $made))
    (with "make" (func $maker "make")) (with "steal" (func $thief "steal"))))
  (export "another-instance" (func $holder "run")))
