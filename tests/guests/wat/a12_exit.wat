;; Attack 12. Ends itself: proc_exit with any status, or `unreachable`. Only this instance ends; the host goes on.
(module
  (import "wasi_snapshot_preview1" "proc_exit" (func $proc_exit (param i32)))
  (memory (export "memory") 1)
  (func (export "exit") (param i32) (call $proc_exit (local.get 0)))
  (func (export "trap") unreachable))
