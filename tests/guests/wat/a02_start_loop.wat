;; Attack 2. The start section of a core module never ends. KILL within the deadline of the initialisation.
(module
  (memory (export "memory") 1)
  (func $start (loop $again (br $again)))
  (start $start)
  (func (export "run")))
