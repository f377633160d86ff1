;; Attack 1. Asks for sockets. Without the grant it is not instantiated: E_LINK names the import, and its start
;; function, which would trap, never runs.
(component
  (import "wasi:sockets/network@0.2.0" (instance $network (export "network" (type (sub resource)))))
  (alias export $network "network" (type $net))
  (import "wasi:sockets/instance-network@0.2.0" (instance $here
    (alias outer 1 $net (type $outer))
    (export "network" (type $t (eq $outer)))
    (export "instance-network" (func (result (own $t))))))
  (core module $m
    (func $start unreachable)
    (start $start)
    (func (export "run")))
  (core instance $i (instantiate $m))
  (func (export "run") (canon lift (core func $i "run"))))
