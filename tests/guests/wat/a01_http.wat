;; Attack 1. Asks for outgoing HTTP. Without the grant: E_LINK, and the start function never runs.
(component
  (import "wasi:http/types@0.2.0" (instance $types
    (export "fields" (type (sub resource)))
    (export "outgoing-request" (type (sub resource)))))
  (alias export $types "outgoing-request" (type $request))
  (import "wasi:http/outgoing-handler@0.2.0" (instance $handler
    (alias outer 1 $request (type $outer))
    (export "outgoing-request" (type $t (eq $outer)))
    (export "handle" (func (param "request" (own $t))))))
  (core module $m
    (func $start unreachable)
    (start $start)
    (func (export "run")))
  (core instance $i (instantiate $m))
  (func (export "run") (canon lift (core func $i "run"))))
