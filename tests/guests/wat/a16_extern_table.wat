;; Attack 16. A table of host references, which needs the garbage collector. Refused where that is off (E_COMPILE), else
;; as a16_tables.
(module
  (table $u 1 externref)
  (func (export "at-once") (result i32) (table.grow $u (ref.null extern) (i32.const -1))))
