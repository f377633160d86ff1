;; Attacks 154 and 155. Text with escape sequences, OSC 52 (the clipboard), OSC 8 (a link), CR, backspace, a bidi override
;; and markup: as a result, on stdout and stderr, and in the message of a trap's function. Nothing of it reaches a terminal raw.
(module
  (import "wasi_snapshot_preview1" "fd_write" (func $fd_write (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (data (i32.const 64) "\1b[2J\1b[31mred\1b]52;c;ZXZpbA==\07\1b]8;;http://evil.example\1b\\link\1b]8;;\1b\\\0d\08\e2\80\aeabc\u{9b}31m<script>\ff\fe\0a")
  (func (export "print") (param $fd i32) (result i32)
    (i32.store (i32.const 0) (i32.const 64))
    (i32.store (i32.const 4) (i32.const 96))
    (call $fd_write (local.get $fd) (i32.const 0) (i32.const 1) (i32.const 16)))
  (func $"\1b]52;c;ZXZpbA==\07" unreachable)
  (func (export "trap") (call $"\1b]52;c;ZXZpbA==\07")))
