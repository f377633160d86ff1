//! Reading the wire format, and what both directions know of a type.

use super::pieces::Piece;
use crate::fault::{Fault, Kind};
use std::borrow::Cow;
use wasmtime::Result;
use wasmtime::component::__internal::wasmtime_environ::component::{
    ComponentTypes, InterfaceType, TypeVariant, VariantInfo,
};

/// Reads the wire format; every length is checked against what is left. The payload may be cut anywhere.
pub struct Reader<'a> {
    rest: &'a [u8],
    more: &'a [Piece<'a>],
    left: usize,
}

pub(super) fn misfit(what: &str) -> wasmtime::Error {
    Fault::new(Kind::Invalid, format!("the payload does not fit the function's type: {what}")).into()
}

pub(super) fn unliftable(what: impl Into<String>) -> wasmtime::Error {
    Fault::new(Kind::LiftLimit, what).into()
}

pub(super) fn bad_pointer(what: impl Into<String>) -> wasmtime::Error {
    Fault::new(Kind::BadPointer, what).into()
}

impl<'a> Reader<'a> {
    #[inline]
    pub fn new(bytes: &'a [u8]) -> Reader<'a> {
        Reader { rest: bytes, more: &[], left: bytes.len() }
    }

    #[inline]
    pub fn over(pieces: &'a [Piece<'a>]) -> Reader<'a> {
        match pieces {
            [] => Reader::new(&[]),
            [one] => Reader::new(one.get()),
            [first, more @ ..] => {
                let left = pieces.iter().fold(0usize, |sum, piece| sum.saturating_add(piece.get().len()));
                Reader { rest: first.get(), more, left }
            }
        }
    }

    /// Bytes that were not read yet.
    pub fn left(&self) -> usize {
        self.left
    }

    /// The next bytes: where they are when one piece has them all.
    #[inline]
    pub fn take(&mut self, n: usize) -> Result<Cow<'a, [u8]>> {
        match self.near(n) {
            Some(bytes) => Ok(Cow::Borrowed(bytes)),
            None => self.far(n),
        }
    }

    #[inline]
    fn near(&mut self, n: usize) -> Option<&'a [u8]> {
        let (head, tail) = self.rest.split_at_checked(n)?;
        (self.rest, self.left) = (tail, self.left - n);
        Some(head)
    }

    #[cold]
    fn far(&mut self, n: usize) -> Result<Cow<'a, [u8]>> {
        if n > self.left {
            return Err(misfit("it ends early"));
        }
        let mut gathered = Vec::new();
        loop {
            let wanted = n - gathered.len();
            if gathered.is_empty() && self.rest.len() >= wanted {
                return Ok(Cow::Borrowed(self.near(wanted).unwrap_or_default()));
            }
            let part = self.near(wanted.min(self.rest.len())).unwrap_or_default();
            gathered.extend_from_slice(part);
            if gathered.len() == n {
                return Ok(Cow::Owned(gathered));
            }
            let Some((next, more)) = self.more.split_first() else { return Err(misfit("it ends early")) };
            (self.rest, self.more) = (next.get(), more);
        }
    }

    #[inline]
    pub fn array<const N: usize>(&mut self) -> Result<[u8; N]> {
        match self.near(N) {
            Some(bytes) => Ok(bytes.try_into().unwrap()),
            None => Ok(self.far(N)?.as_ref().try_into().unwrap()),
        }
    }

    #[inline]
    pub fn u8(&mut self) -> Result<u8> {
        Ok(self.array::<1>()?[0])
    }

    #[inline]
    pub fn u32(&mut self) -> Result<u32> {
        Ok(u32::from_le_bytes(self.array()?))
    }

    /// The bytes of a string: UTF-8, checked.
    pub(super) fn text(&mut self) -> Result<Cow<'a, [u8]>> {
        let n = self.u32()? as usize;
        let bytes = self.take(n)?;
        match simdutf8::basic::from_utf8(&bytes) {
            Ok(_) => Ok(bytes),
            Err(_) => Err(misfit("a string is not UTF-8")),
        }
    }

    #[inline]
    pub fn finish(&self) -> Result<()> {
        if self.left == 0 { Ok(()) } else { Err(misfit("bytes are left over")) }
    }
}

pub(super) fn read_bool(reader: &mut Reader<'_>) -> Result<u8> {
    match reader.u8()? {
        b @ 0..=1 => Ok(b),
        _ => Err(misfit("a bool is neither 0 nor 1")),
    }
}

pub(super) fn read_char(reader: &mut Reader<'_>) -> Result<u32> {
    let bits = reader.u32()?;
    char::from_u32(bits).map(u32::from).ok_or_else(|| misfit("a char is not a Unicode scalar value"))
}

/// Size of a number's representation, which is the same on the wire and in memory; `None` for anything else.
pub(super) fn plain_size(ty: InterfaceType) -> Option<usize> {
    Some(match ty {
        InterfaceType::S8 | InterfaceType::U8 => 1,
        InterfaceType::S16 | InterfaceType::U16 => 2,
        InterfaceType::S32 | InterfaceType::U32 | InterfaceType::Float32 => 4,
        InterfaceType::S64 | InterfaceType::U64 | InterfaceType::Float64 => 8,
        _ => return None,
    })
}

pub(super) fn cannot_cross(ty: InterfaceType) -> wasmtime::Error {
    let what = match ty {
        InterfaceType::Own(_) | InterfaceType::Borrow(_) => "a resource handle",
        InterfaceType::Stream(_) => "a stream",
        InterfaceType::Future(_) => "a future",
        _ => "a value of this type",
    };
    Fault::new(Kind::Invalid, format!("{what} cannot cross between host and guest")).into()
}

/// The payload types of a variant-like type, its case count and layout.
pub(super) enum Cases<'t> {
    Variant(&'t TypeVariant),
    Enum(usize),
    Option(InterfaceType),
    Result(Option<InterfaceType>, Option<InterfaceType>),
}

impl Cases<'_> {
    pub(super) fn payload(&self, case: u32) -> Result<Option<InterfaceType>> {
        let case = case as usize;
        Ok(match self {
            Cases::Variant(v) => *v.cases.get_index(case).ok_or_else(|| unliftable("a variant has no such case"))?.1,
            Cases::Enum(n) if case < *n => None,
            Cases::Option(_) if case == 0 => None,
            Cases::Option(ty) if case == 1 => Some(*ty),
            Cases::Result(ok, _) if case == 0 => *ok,
            Cases::Result(_, err) if case == 1 => *err,
            _ => return Err(unliftable("a variant has no such case")),
        })
    }

    /// Whether the wire writes the case as one byte (option, result) or as u32 (variant, enum).
    pub(super) fn short(&self) -> bool {
        matches!(self, Cases::Option(_) | Cases::Result(..))
    }
}

pub(super) fn cases(types: &ComponentTypes, ty: InterfaceType) -> Option<(Cases<'_>, &VariantInfo)> {
    Some(match ty {
        InterfaceType::Variant(i) => (Cases::Variant(&types[i]), &types[i].info),
        InterfaceType::Enum(i) => (Cases::Enum(types[i].names.len()), &types[i].info),
        InterfaceType::Option(i) => (Cases::Option(types[i].ty), &types[i].info),
        InterfaceType::Result(i) => (Cases::Result(types[i].ok, types[i].err), &types[i].info),
        _ => return None,
    })
}

pub(super) fn read_case(reader: &mut Reader<'_>, cases: &Cases<'_>) -> Result<(u32, Option<InterfaceType>)> {
    let case = if cases.short() { u32::from(reader.u8()?) } else { reader.u32()? };
    let payload = cases.payload(case).map_err(|_| misfit("a case is out of range"))?;
    Ok((case, payload))
}

pub(super) fn flags_words(names: usize) -> usize {
    names.div_ceil(32)
}

pub(super) fn flags_mask(names: usize, word: usize) -> u32 {
    let left = names - word * 32;
    if left >= 32 { u32::MAX } else { (1 << left) - 1 }
}

pub(super) fn read_flags(reader: &mut Reader<'_>, names: usize, word: usize) -> Result<u32> {
    let bits = reader.u32()?;
    if bits & !flags_mask(names, word) != 0 { Err(misfit("an unknown flag is set")) } else { Ok(bits) }
}
