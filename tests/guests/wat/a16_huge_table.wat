;; Attack 16. A table that begins with 10 million elements, the most that validation lets through. E_MEMORY or a refusal at
;; instantiation; no panic.
(component
  (core module $m
    (table 10000000 funcref)
    (func (export "run")))
  (core instance $i (instantiate $m))
  (func (export "run") (canon lift (core func $i "run"))))
