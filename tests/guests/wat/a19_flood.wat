;; Attack 19. Writes `mebibytes` MiB to stdout (or stderr) without a newline, on preview 1. What is kept is bounded, the
;; rest is counted, the disk stays as it was.
(module
  (import "wasi_snapshot_preview1" "fd_write" (func $fd_write (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 18)
  (func (export "flood") (param $fd i32) (param $mebibytes i32) (result i32)
    (memory.fill (i32.const 65536) (i32.const 120) (i32.const 0x100000))
    (loop $next
      (i32.store (i32.const 0) (i32.const 65536))
      (i32.store (i32.const 4) (i32.const 0x100000))
      (if (call $fd_write (local.get $fd) (i32.const 0) (i32.const 1) (i32.const 16))
        (then (return (local.get $mebibytes))))
      (br_if $next (local.tee $mebibytes (i32.sub (local.get $mebibytes) (i32.const 1)))))
    (i32.const 0)))
