;; Attack 16. A memory that begins with 4 GiB. Refused at instantiation.
(component
  (core module $m
    (memory 65536)
    (func (export "run")))
  (core instance $i (instantiate $m))
  (func (export "run") (canon lift (core func $i "run"))))
