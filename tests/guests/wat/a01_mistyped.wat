;; Attack 1. The right name with another type: get-random-u64 that gives a string. E_LINK; nothing runs.
(component
  (import "wasi:random/random@0.2.0" (instance (export "get-random-u64" (func (result string)))))
  (core module $m
    (func $start unreachable)
    (start $start)
    (func (export "run")))
  (core instance $i (instantiate $m))
  (func (export "run") (canon lift (core func $i "run"))))
