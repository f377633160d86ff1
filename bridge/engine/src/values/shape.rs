//! What is known of a function's type before it is called. Most hot functions take and give plain scalars: those cross
//! without a walk over the type.

use super::reader::{Reader, read_bool, read_char};
use crate::values::lift::checked_char;
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

/// The flat shape of a function, or `None` where a value has parts and the type must be walked.
#[derive(Debug, Default)]
pub struct Shape {
    pub(super) params: Option<Box<[Scalar]>>,
    pub(super) result: Option<Scalar>,
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

impl Shape {
    /// `flat_max` parameters fit the flat slots; more go through memory.
    pub(crate) fn of(f: &ComponentFunc, flat_max: usize) -> Shape {
        let params: Option<Box<[Scalar]>> = f.params().map(|(_, ty)| Scalar::of(&ty)).collect();
        let mut results = f.results();
        let result = match (results.next(), results.next()) {
            (Some(ty), None) => Scalar::of(&ty),
            _ => None,
        };
        Shape { params: params.filter(|p| p.len() <= flat_max), result }
    }
}
