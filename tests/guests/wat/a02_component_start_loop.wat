;; Attack 2. The start section inside a component never ends. KILL within the deadline of the initialisation.
(component
  (core module $m
    (func $start (loop $again (br $again)))
    (start $start)
    (func (export "run")))
  (core instance $i (instantiate $m))
  (func (export "run") (canon lift (core func $i "run"))))
