;; What a plugin written for Extism has instead of a memory of its host's: blocks, the input, the output and the error,
;; in a linear memory of the same store. Guests call it as they call each other; the host reads and writes the same
;; memory (blocks.rs), and sets it up before any guest runs.
;;
;; Offsets are those of Extism's own kernel, since guests may look: byte 9 how much of the memory is in use, 17 how much
;; there is, 25 the error, 33 and 41 the input, 49 and 57 the output (offset, length), and from 65 on the blocks: status
;; (1 in use, 2 free) as a byte, size at 4, used at 8, data at 12. A guest can write over the blocks and only them, so
;; nothing of the host believes what stands there.
(module
  (memory (export "memory") 16)

  (func $end (result i64) (i64.shl (i64.extend_i32_u (memory.size)) (i64.const 16)))

  ;; Whether nothing can be read at an offset.
  (func $outside (param $at i64) (result i32)
    (i32.or (i64.lt_u (local.get $at) (i64.const 64)) (i64.lt_u (call $end) (local.get $at))))

  ;; Whether an offset lies among the blocks.
  (func $among (param $at i64) (result i32)
    (i32.and
      (i64.ge_u (local.get $at) (i64.const 65))
      (i64.lt_u (local.get $at) (i64.add (i64.load (i32.const 17)) (i64.const 65)))))

  (func $next (param $block i32) (result i32)
    (i32.add (i32.add (local.get $block) (i32.load offset=4 (local.get $block))) (i32.const 12)))

  ;; The block in use whose data begins here, or 0.
  (func $find (param $at i64) (result i32) (local $block i32)
    (if (call $outside (local.get $at)) (then (return (i32.const 0))))
    (local.set $block (i32.const 65))
    (loop $look
      (if (i32.and
            (i32.eq (i32.load8_u (local.get $block)) (i32.const 1))
            (i64.eq (i64.extend_i32_u (i32.add (local.get $block) (i32.const 12))) (local.get $at)))
        (then (return (local.get $block))))
      (local.set $block (call $next (local.get $block)))
      (br_if $look
        (i64.gt_u (i64.add (local.get $at) (i64.const 65)) (i64.extend_i32_u (local.get $block)))))
    (i32.const 0))

  (func $use (param $block i32) (param $bytes i32) (result i64)
    (i32.store8 (local.get $block) (i32.const 1))
    (i32.store offset=8 (local.get $block) (local.get $bytes))
    (i64.extend_i32_u (i32.add (local.get $block) (i32.const 12))))

  ;; A block that was freed and is large enough, split when much would be left over; or 0.
  (func $reuse (param $bytes i32) (result i32)
    (local $block i32) (local $end i64) (local $left i32)
    (local.set $end (i64.add (i64.load (i32.const 9)) (i64.const 65)))
    (local.set $block (i32.const 65))
    (loop $look
      (if (i64.ge_u (i64.extend_i32_u (local.get $block)) (local.get $end)) (then (return (i32.const 0))))
      (if (i32.eqz (i32.load8_u (local.get $block))) (then (return (local.get $block))))
      (if (i32.and
            (i32.eq (i32.load8_u (local.get $block)) (i32.const 2))
            (i32.ge_u (i32.load offset=4 (local.get $block)) (local.get $bytes)))
        (then
          (local.set $left (i32.sub (i32.load offset=4 (local.get $block)) (local.get $bytes)))
          (if (i32.lt_u (local.get $left) (i32.const 128)) (then (return (local.get $block))))
          (i32.store offset=8 (local.get $block) (i32.const 0))
          (i32.store offset=4 (local.get $block) (i32.sub (local.get $left) (i32.const 12)))
          (local.set $block (i32.add (local.get $block) (local.get $left)))
          (i32.store offset=8 (local.get $block) (i32.const 0))
          (i32.store offset=4 (local.get $block) (local.get $bytes))
          (return (local.get $block))))
      (local.set $block (call $next (local.get $block)))
      (br $look))
    (unreachable))

  (func (export "alloc") (param $bytes i64) (result i64)
    (local $needed i64) (local $used i64) (local $room i64) (local $pages i64) (local $block i32)
    ;; 4 GiB and more: no such memory. (Extism's own would count it modulo 4 GiB, and lose its place.)
    (if (i32.or (i64.eqz (local.get $bytes)) (i64.gt_u (local.get $bytes) (i64.const 0xffff0000)))
      (then (return (i64.const 0))))
    (local.set $needed (i64.add (local.get $bytes) (i64.const 12)))
    (local.set $used (i64.load (i32.const 9)))
    (local.set $room (i64.sub (i64.sub (i64.load (i32.const 17)) (local.get $used)) (i64.const 64)))
    (if (i64.ge_u (local.get $needed) (local.get $room))
      (then
        (if (i64.le_u (local.get $needed) (local.get $used))
          (then
            (local.set $block (call $reuse (i32.wrap_i64 (local.get $bytes))))
            (if (local.get $block) (then (return (call $use (local.get $block) (i32.wrap_i64 (local.get $bytes))))))))
        (local.set $pages
          (i64.shr_u
            (i64.add (i64.sub (local.get $needed) (local.get $room)) (i64.const 0xffff)) (i64.const 16)))
        (if (i32.eq (memory.grow (i32.wrap_i64 (local.get $pages))) (i32.const -1)) (then (return (i64.const 0))))
        (i64.store (i32.const 17) (i64.add (i64.load (i32.const 17)) (i64.shl (local.get $pages) (i64.const 16))))))
    (i64.store (i32.const 9) (i64.add (local.get $used) (local.get $needed)))
    (local.set $block (i32.add (i32.wrap_i64 (local.get $used)) (i32.const 65)))
    (i32.store offset=4 (local.get $block) (i32.wrap_i64 (local.get $bytes)))
    (call $use (local.get $block) (i32.wrap_i64 (local.get $bytes))))

  (func (export "free") (param $at i64) (local $block i32)
    (local.set $block (call $find (local.get $at)))
    (if (i32.eqz (local.get $block)) (then (return)))
    (i32.store8 (local.get $block) (i32.const 2))
    (if (i64.eq (i64.load (i32.const 33)) (local.get $at)) (then (i64.store (i32.const 41) (i64.const 0)))))

  (func (export "length") (param $at i64) (result i64) (local $block i32)
    (local.set $block (call $find (local.get $at)))
    (if (i32.eqz (local.get $block)) (then (return (i64.const 0))))
    (i64.load32_u offset=8 (local.get $block)))

  (func (export "length_unsafe") (param $at i64) (result i64) (local $block i32)
    (if (call $outside (local.get $at)) (then (return (i64.const 0))))
    (local.set $block (i32.sub (i32.wrap_i64 (local.get $at)) (i32.const 12)))
    (if (i32.ne (i32.load8_u (local.get $block)) (i32.const 1)) (then (return (i64.const 0))))
    (i64.load32_u offset=8 (local.get $block)))

  ;; The four that guests call most test the offset themselves.
  (func (export "load_u8") (param $at i64) (result i32)
    (if (i32.or
          (i64.lt_u (local.get $at) (i64.const 64))
          (i64.lt_u (i64.shl (i64.extend_i32_u (memory.size)) (i64.const 16)) (local.get $at)))
      (then (return (i32.const 0))))
    (i32.load8_u (i32.wrap_i64 (local.get $at))))

  (func (export "load_u64") (param $at i64) (result i64)
    (if (i32.or
          (i64.lt_u (i64.add (local.get $at) (i64.const 7)) (i64.const 64))
          (i64.lt_u (i64.shl (i64.extend_i32_u (memory.size)) (i64.const 16)) (i64.add (local.get $at) (i64.const 7))))
      (then (return (i64.const 0))))
    (i64.load (i32.wrap_i64 (local.get $at))))

  (func (export "store_u8") (param $at i64) (param $value i32)
    (if (i32.or
          (i64.lt_u (local.get $at) (i64.const 64))
          (i64.lt_u (i64.shl (i64.extend_i32_u (memory.size)) (i64.const 16)) (local.get $at)))
      (then (return)))
    (i32.store8 (i32.wrap_i64 (local.get $at)) (local.get $value)))

  (func (export "store_u64") (param $at i64) (param $value i64)
    (if (i32.or
          (i64.lt_u (i64.add (local.get $at) (i64.const 7)) (i64.const 64))
          (i64.lt_u (i64.shl (i64.extend_i32_u (memory.size)) (i64.const 16)) (i64.add (local.get $at) (i64.const 7))))
      (then (return)))
    (i64.store (i32.wrap_i64 (local.get $at)) (local.get $value)))

  (func (export "input_load_u8") (param $i i64) (result i32)
    (if (i64.le_u (i64.load (i32.const 41)) (local.get $i)) (then (return (i32.const 0))))
    (i32.load8_u (i32.wrap_i64 (i64.add (i64.load (i32.const 33)) (local.get $i)))))

  (func (export "input_load_u64") (param $i i64) (result i64)
    (if (i64.gt_u (i64.add (local.get $i) (i64.const 8)) (i64.load (i32.const 41))) (then (return (i64.const 0))))
    (i64.load (i32.wrap_i64 (i64.add (i64.load (i32.const 33)) (local.get $i)))))

  ;; Whether a range lies among the blocks; one that does not is left unset.
  (func $holds (param $at i64) (param $bytes i64) (result i32)
    (i32.and
      (call $among (local.get $at))
      (call $among (i64.sub (i64.add (local.get $at) (local.get $bytes)) (i64.const 1)))))

  (func (export "input_set") (param $at i64) (param $bytes i64)
    (if (i32.eqz (call $holds (local.get $at) (local.get $bytes))) (then (return)))
    (i64.store (i32.const 33) (local.get $at))
    (i64.store (i32.const 41) (local.get $bytes)))

  (func (export "output_set") (param $at i64) (param $bytes i64)
    (if (i32.eqz (call $holds (local.get $at) (local.get $bytes))) (then (return)))
    (i64.store (i32.const 49) (local.get $at))
    (i64.store (i32.const 57) (local.get $bytes)))

  (func (export "input_offset") (result i64) (i64.load (i32.const 33)))
  (func (export "input_length") (result i64) (i64.load (i32.const 41)))
  (func (export "output_offset") (result i64) (i64.load (i32.const 49)))
  (func (export "output_length") (result i64) (i64.load (i32.const 57)))
  (func (export "error_get") (result i64) (i64.load (i32.const 25)))
  (func (export "memory_bytes") (result i64) (i64.load (i32.const 17)))

  (func (export "error_set") (param $at i64)
    (if (i64.ne (local.get $at) (i64.const 0))
      (then (if (i32.eqz (call $among (local.get $at))) (then (return)))))
    (i64.store (i32.const 25) (local.get $at)))

  (func (export "reset")
    (memory.fill (i32.const 65) (i32.const 0) (i32.wrap_i64 (i64.load (i32.const 9))))
    (i64.store (i32.const 9) (i64.const 0))
    (memory.fill (i32.const 25) (i32.const 0) (i32.const 40))))
