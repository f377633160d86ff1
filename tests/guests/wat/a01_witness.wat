;; Attack 1. Its start function calls `cordon:test/witness#mark`, which a test may link, and it also asks for what is
;; not there. The count of marks stays 0: not one instruction ran.
(component
  (import "cordon:test/witness@0.1.0" (instance $witness (export "mark" (func))))
  (import "acme:shell/exec@0.1.0" (instance (export "run" (func))))
  (core func $mark (canon lower (func $witness "mark")))
  (core module $m
    (import "witness" "mark" (func $mark))
    (func $start (call $mark))
    (start $start)
    (func (export "run")))
  (core instance $i (instantiate $m (with "witness" (instance (export "mark" (func $mark))))))
  (func (export "run") (canon lift (core func $i "run"))))
