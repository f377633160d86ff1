;; Attack 156. A core module may name an import as it likes: here a line of the audit log, and a clipboard escape.
;; E_LINK shows both on one line, escaped; the chain of the log verifies.
(module
  (import "env" "x\"}\0a{\"decision\":\"allow\",\"rule\":\"forged" (func))
  (import "\1b]52;c;ZXZpbA==\07" "y\0d\0a" (func))
  (memory (export "memory") 1)
  (func (export "run")))
