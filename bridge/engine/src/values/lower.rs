//! Host to guest: wire bytes into flat slots and guest memory.

use super::hosted;
use super::reader::{
    Reader, cannot_cross, cases, flags_words, misfit, plain_size, read_bool, read_case, read_char, read_flags,
};
use std::mem::MaybeUninit;
use wasmtime::component::__internal::LowerContext;
use wasmtime::component::__internal::wasmtime_environ::component::{InterfaceType, StringEncoding};
use wasmtime::component::Lower;
use wasmtime::{Result, ValRaw};

pub(super) fn lower_text<T: 'static>(cx: &mut LowerContext<'_, T>, reader: &mut Reader<'_>) -> Result<(u32, u32)> {
    let text = reader.text()?;
    if cx.options().string_encoding == StringEncoding::Utf8 {
        let ptr = cx.realloc(0, 0, 1, text.len())?;
        cx.as_slice_mut()[ptr..][..text.len()].copy_from_slice(&text);
        return Ok((u32::try_from(ptr)?, u32::try_from(text.len())?));
    }
    let text = std::str::from_utf8(&text).map_err(|_| misfit("a string is not UTF-8"))?;
    let mut pair = MaybeUninit::<[ValRaw; 2]>::uninit();
    text.linear_lower_to_flat(cx, InterfaceType::String, &mut pair)?;
    // Safety: the call above initialised both words, as the trait demands.
    let pair = unsafe { pair.assume_init() };
    Ok((pair[0].get_u32(), pair[1].get_u32()))
}

fn lower_list<T: 'static>(
    cx: &mut LowerContext<'_, T>,
    element: InterfaceType,
    reader: &mut Reader<'_>,
) -> Result<(u32, u32)> {
    let count = reader.u32()? as usize;
    let abi = cx.types.canonical_abi(&element);
    let (size, align) = (abi.size32 as usize, abi.align32);
    // Every element has at least one byte on the wire, so the count is bounded by the payload.
    if count > reader.left() {
        return Err(misfit("a list is longer than the payload"));
    }
    if plain_size(element).is_some() {
        return lower_block(cx, reader, count, size, align);
    }
    let bytes = count.checked_mul(size).filter(|b| *b < 1 << 31).ok_or_else(|| misfit("a list is too large"))?;
    let ptr = cx.realloc(0, 0, align, bytes)?;
    for i in 0..count {
        store(cx, element, reader, ptr + i * size)?;
    }
    Ok((u32::try_from(ptr)?, u32::try_from(count)?))
}

/// The elements of a list of numbers, whose count was read.
pub(super) fn lower_block<T: 'static>(
    cx: &mut LowerContext<'_, T>,
    reader: &mut Reader<'_>,
    count: usize,
    size: usize,
    align: u32,
) -> Result<(u32, u32)> {
    let bytes = count.checked_mul(size).filter(|b| *b < 1 << 31).ok_or_else(|| misfit("a list is too large"))?;
    let source = reader.take(bytes)?;
    let ptr = cx.realloc(0, 0, align, bytes)?;
    cx.as_slice_mut()[ptr..][..bytes].copy_from_slice(&source);
    Ok((u32::try_from(ptr)?, u32::try_from(count)?))
}

fn lower_map<T: 'static>(
    cx: &mut LowerContext<'_, T>,
    ty: InterfaceType,
    reader: &mut Reader<'_>,
) -> Result<(u32, u32)> {
    let InterfaceType::Map(i) = ty else { unreachable!() };
    let types = cx.types;
    let map = &types[i];
    let count = reader.u32()? as usize;
    if count > reader.left() {
        return Err(misfit("a map is longer than the payload"));
    }
    let size = map.entry_abi.size32 as usize;
    let bytes = count.checked_mul(size).filter(|b| *b < 1 << 31).ok_or_else(|| misfit("a map is too large"))?;
    let ptr = cx.realloc(0, 0, map.entry_abi.align32, bytes)?;
    for n in 0..count {
        store(cx, map.key, reader, ptr + n * size)?;
        store(cx, map.value, reader, ptr + n * size + map.value_offset32 as usize)?;
    }
    Ok((u32::try_from(ptr)?, u32::try_from(count)?))
}

/// Writes one value into guest memory at `offset`, which the caller has allocated for the type's size.
pub(super) fn store<T: 'static>(
    cx: &mut LowerContext<'_, T>,
    ty: InterfaceType,
    reader: &mut Reader<'_>,
    offset: usize,
) -> Result<()> {
    let types = cx.types;
    if let Some(n) = plain_size(ty) {
        let bytes = reader.take(n)?;
        cx.as_slice_mut()[offset..][..n].copy_from_slice(&bytes);
        return Ok(());
    }
    match ty {
        InterfaceType::Bool => cx.as_slice_mut()[offset] = read_bool(reader)?,
        InterfaceType::Char => *cx.get(offset) = read_char(reader)?.to_le_bytes(),
        InterfaceType::String => {
            let (ptr, len) = lower_text(cx, reader)?;
            *cx.get(offset) = ptr.to_le_bytes();
            *cx.get(offset + 4) = len.to_le_bytes();
        }
        InterfaceType::List(_) | InterfaceType::Map(_) => {
            let (ptr, len) = match ty {
                InterfaceType::List(i) => lower_list(cx, types[i].element, reader)?,
                _ => lower_map(cx, ty, reader)?,
            };
            *cx.get(offset) = ptr.to_le_bytes();
            *cx.get(offset + 4) = len.to_le_bytes();
        }
        InterfaceType::Record(i) => {
            let mut at = offset;
            for field in types[i].fields.iter() {
                let place = types.canonical_abi(&field.ty).next_field32_size(&mut at);
                store(cx, field.ty, reader, place)?;
            }
        }
        InterfaceType::Tuple(i) => {
            let mut at = offset;
            for field in types[i].types.iter() {
                let place = types.canonical_abi(field).next_field32_size(&mut at);
                store(cx, *field, reader, place)?;
            }
        }
        InterfaceType::FixedLengthList(i) => {
            let list = &types[i];
            let size = types.canonical_abi(&list.element).size32 as usize;
            for n in 0..list.size as usize {
                store(cx, list.element, reader, offset + n * size)?;
            }
        }
        InterfaceType::Flags(i) => store_flags(cx, types[i].names.len(), reader, offset)?,
        InterfaceType::Variant(_) | InterfaceType::Enum(_) | InterfaceType::Option(_) | InterfaceType::Result(_) => {
            let (cases, info) = cases(types, ty).expect("matched above");
            let (case, payload) = read_case(reader, &cases)?;
            match usize::from(info.size) {
                1 => cx.as_slice_mut()[offset] = case as u8,
                2 => *cx.get(offset) = (case as u16).to_le_bytes(),
                _ => *cx.get(offset) = case.to_le_bytes(),
            }
            if let Some(payload) = payload {
                store(cx, payload, reader, offset + info.payload_offset32 as usize)?;
            }
        }
        InterfaceType::Own(_) | InterfaceType::Borrow(_) => {
            *cx.get(offset) = hosted::lower(cx, ty, reader.u32()?)?.to_le_bytes();
        }
        other => return Err(cannot_cross(other)),
    }
    Ok(())
}

fn store_flags<T: 'static>(
    cx: &mut LowerContext<'_, T>,
    names: usize,
    reader: &mut Reader<'_>,
    offset: usize,
) -> Result<()> {
    for word in 0..flags_words(names) {
        let bits = read_flags(reader, names, word)?;
        match names {
            0..=8 => cx.as_slice_mut()[offset] = bits as u8,
            9..=16 => *cx.get(offset) = (bits as u16).to_le_bytes(),
            _ => *cx.get(offset + word * 4) = bits.to_le_bytes(),
        }
    }
    Ok(())
}

/// Where flat values go: a run of slots that is filled in order.
pub(super) struct Slots<'s> {
    pub(super) slots: &'s mut [MaybeUninit<ValRaw>],
    pub(super) used: usize,
}

impl Slots<'_> {
    fn push(&mut self, value: ValRaw) -> Result<()> {
        let slot = self.slots.get_mut(self.used).ok_or_else(|| misfit("too many flat values"))?;
        slot.write(value);
        self.used += 1;
        Ok(())
    }
}

/// Lowers one value flat. Narrow integers are extended as the canonical ABI says; joined slots are zero-extended.
pub(super) fn flatten<T: 'static>(
    cx: &mut LowerContext<'_, T>,
    ty: InterfaceType,
    reader: &mut Reader<'_>,
    out: &mut Slots<'_>,
) -> Result<()> {
    let types = cx.types;
    match ty {
        InterfaceType::Bool => out.push(ValRaw::u32(u32::from(read_bool(reader)?))),
        InterfaceType::U8 => out.push(ValRaw::u32(u32::from(reader.u8()?))),
        InterfaceType::S8 => out.push(ValRaw::i32(i32::from(reader.u8()? as i8))),
        InterfaceType::U16 => out.push(ValRaw::u32(u32::from(u16::from_le_bytes(reader.array()?)))),
        InterfaceType::S16 => out.push(ValRaw::i32(i32::from(i16::from_le_bytes(reader.array()?)))),
        InterfaceType::U32 => out.push(ValRaw::u32(reader.u32()?)),
        InterfaceType::S32 => out.push(ValRaw::i32(reader.u32()? as i32)),
        InterfaceType::Float32 => out.push(ValRaw::f32(reader.u32()?)),
        InterfaceType::U64 | InterfaceType::S64 => out.push(ValRaw::u64(u64::from_le_bytes(reader.array()?))),
        InterfaceType::Float64 => out.push(ValRaw::f64(u64::from_le_bytes(reader.array()?))),
        InterfaceType::Char => out.push(ValRaw::u32(read_char(reader)?)),
        InterfaceType::String => {
            let (ptr, len) = lower_text(cx, reader)?;
            out.push(ValRaw::i64(i64::from(ptr)))?;
            out.push(ValRaw::i64(i64::from(len)))
        }
        InterfaceType::List(_) | InterfaceType::Map(_) => {
            let (ptr, len) = match ty {
                InterfaceType::List(i) => lower_list(cx, types[i].element, reader)?,
                _ => lower_map(cx, ty, reader)?,
            };
            out.push(ValRaw::i64(i64::from(ptr)))?;
            out.push(ValRaw::i64(i64::from(len)))
        }
        InterfaceType::Record(i) => types[i].fields.iter().try_for_each(|f| flatten(cx, f.ty, reader, out)),
        InterfaceType::Tuple(i) => types[i].types.iter().try_for_each(|t| flatten(cx, *t, reader, out)),
        InterfaceType::FixedLengthList(i) => {
            (0..types[i].size).try_for_each(|_| flatten(cx, types[i].element, reader, out))
        }
        InterfaceType::Flags(i) => {
            let names = types[i].names.len();
            (0..flags_words(names)).try_for_each(|word| out.push(ValRaw::u32(read_flags(reader, names, word)?)))
        }
        InterfaceType::Variant(_) | InterfaceType::Enum(_) | InterfaceType::Option(_) | InterfaceType::Result(_) => {
            let total = types.canonical_abi(&ty).flat_count(usize::MAX).ok_or_else(|| misfit("not flat"))?;
            let end = out.used + total;
            let (cases, _) = cases(types, ty).expect("matched above");
            let (case, payload) = read_case(reader, &cases)?;
            out.push(ValRaw::u32(case))?;
            if let Some(payload) = payload {
                flatten(cx, payload, reader, out)?;
            }
            while out.used < end {
                out.push(ValRaw::u64(0))?;
            }
            Ok(())
        }
        InterfaceType::Own(_) | InterfaceType::Borrow(_) => {
            let index = hosted::lower(cx, ty, reader.u32()?)?;
            out.push(ValRaw::u32(index))
        }
        other => Err(cannot_cross(other)),
    }
}
