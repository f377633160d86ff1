//! What is known of a function's type before it is called. Most hot functions take and give scalars, text and blocks of
//! numbers: those cross without a walk over the type.

use super::lift::{charge, checked_char, checked_text, slice};
use super::lower::{lower_block, lower_text};
use super::pieces::{Piece, Sink};
use super::reader::{Reader, read_bool, read_char};
use std::mem::MaybeUninit;
use wasmtime::component::__internal::{LiftContext, LowerContext};
use wasmtime::component::Type;
use wasmtime::component::types::ComponentFunc;
use wasmtime::{Result, ValRaw};

/// A type with one flat slot and one size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scalar {
    Bool,
    U8,
    S8,
    U16,
    S16,
    Word,
    Long,
    Float32,
    Float64,
    Char,
}

/// A type that needs no walk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Simple {
    Scalar(Scalar),
    Text,
    /// Numbers of so many bytes, in a list.
    Block(u8),
}

/// The shape of a function, or `None` where a value has parts and the type must be walked.
#[derive(Debug, Default)]
pub struct Shape {
    pub(super) params: Option<Box<[Simple]>>,
    pub(super) result: Option<Simple>,
}

impl Scalar {
    fn of(ty: &Type) -> Option<Scalar> {
        Some(match ty {
            Type::Bool => Scalar::Bool,
            Type::U8 => Scalar::U8,
            Type::S8 => Scalar::S8,
            Type::U16 => Scalar::U16,
            Type::S16 => Scalar::S16,
            Type::U32 | Type::S32 => Scalar::Word,
            Type::U64 | Type::S64 => Scalar::Long,
            Type::Float32 => Scalar::Float32,
            Type::Float64 => Scalar::Float64,
            Type::Char => Scalar::Char,
            _ => return None,
        })
    }

    #[inline]
    pub(super) fn lower(self, reader: &mut Reader<'_>) -> Result<ValRaw> {
        Ok(match self {
            Scalar::Bool => ValRaw::u32(u32::from(read_bool(reader)?)),
            Scalar::U8 => ValRaw::u32(u32::from(reader.u8()?)),
            Scalar::S8 => ValRaw::i32(i32::from(reader.u8()? as i8)),
            Scalar::U16 => ValRaw::u32(u32::from(u16::from_le_bytes(reader.array()?))),
            Scalar::S16 => ValRaw::i32(i32::from(i16::from_le_bytes(reader.array()?))),
            Scalar::Word => ValRaw::u32(reader.u32()?),
            Scalar::Long => ValRaw::u64(u64::from_le_bytes(reader.array()?)),
            Scalar::Float32 => ValRaw::f32(reader.u32()?),
            Scalar::Float64 => ValRaw::f64(u64::from_le_bytes(reader.array()?)),
            Scalar::Char => ValRaw::u32(read_char(reader)?),
        })
    }

    /// Writes the value's wire bytes to the front of `out` and gives their count.
    #[inline]
    pub(super) fn lift(self, slot: ValRaw, out: &mut [u8; 8]) -> Result<usize> {
        let (bits, size) = match self {
            Scalar::Bool => (u64::from(slot.get_i32() != 0), 1),
            Scalar::U8 | Scalar::S8 => (u64::from(slot.get_u32()), 1),
            Scalar::U16 | Scalar::S16 => (u64::from(slot.get_u32()), 2),
            Scalar::Word => (u64::from(slot.get_u32()), 4),
            Scalar::Long => (slot.get_u64(), 8),
            Scalar::Float32 => (u64::from(slot.get_f32()), 4),
            Scalar::Float64 => (slot.get_f64(), 8),
            Scalar::Char => (u64::from(checked_char(slot.get_u32())?), 4),
        };
        *out = bits.to_le_bytes();
        Ok(size)
    }
}

impl Scalar {
    /// Of a number as it lies in memory; a bool or a char is checked one by one.
    fn plain_size(self) -> Option<u8> {
        Some(match self {
            Scalar::U8 | Scalar::S8 => 1,
            Scalar::U16 | Scalar::S16 => 2,
            Scalar::Word | Scalar::Float32 => 4,
            Scalar::Long | Scalar::Float64 => 8,
            Scalar::Bool | Scalar::Char => return None,
        })
    }
}

impl Simple {
    fn of(ty: &Type) -> Option<Simple> {
        match ty {
            Type::String => Some(Simple::Text),
            Type::List(list) => Scalar::of(&list.ty())?.plain_size().map(Simple::Block),
            other => Scalar::of(other).map(Simple::Scalar),
        }
    }

    fn slots(self) -> usize {
        if let Simple::Scalar(_) = self { 1 } else { 2 }
    }

    /// Fills the value's slots at the front of `slots` and gives the rest.
    #[inline]
    pub(super) fn lower<'s, T: 'static>(
        self,
        cx: &mut LowerContext<'_, T>,
        reader: &mut Reader<'_>,
        slots: &'s mut [MaybeUninit<ValRaw>],
    ) -> Result<&'s mut [MaybeUninit<ValRaw>]> {
        let (ptr, len) = match self {
            Simple::Scalar(scalar) => {
                slots[0].write(scalar.lower(reader)?);
                return Ok(&mut slots[1..]);
            }
            Simple::Text => lower_text(cx, reader)?,
            Simple::Block(size) => {
                let count = reader.u32()? as usize;
                lower_block(cx, reader, count, usize::from(size), u32::from(size))?
            }
        };
        slots[0].write(ValRaw::i64(i64::from(ptr)));
        slots[1].write(ValRaw::i64(i64::from(len)));
        Ok(&mut slots[2..])
    }

    /// Hands over a text or block of which `pair` is pointer and length, and gives the count of its bytes.
    pub(super) fn give(self, cx: &mut LiftContext<'_>, pair: [u32; 2], sink: &mut Sink<'_>) -> Result<u64> {
        let [ptr, count] = pair;
        let bytes = match self {
            Simple::Block(size) => {
                let bytes = count as usize * usize::from(size);
                charge(cx, bytes)?;
                slice(cx, ptr, bytes, u32::from(size), "list")?
            }
            _ => checked_text(cx, ptr, count)?,
        };
        sink(&[Piece::new(&count.to_le_bytes()), Piece::new(bytes)]);
        Ok(4 + bytes.len() as u64)
    }
}

impl Shape {
    /// `flat_max` slots hold parameters; more go through memory.
    pub(crate) fn of(f: &ComponentFunc, flat_max: usize) -> Shape {
        let params: Option<Box<[Simple]>> = f.params().map(|(_, ty)| Simple::of(&ty)).collect();
        let mut results = f.results();
        let result = match (results.next(), results.next()) {
            (Some(ty), None) => Simple::of(&ty),
            _ => None,
        };
        Shape { params: params.filter(|p| p.iter().map(|s| s.slots()).sum::<usize>() <= flat_max), result }
    }
}
