//! Guest to host: flat slots and guest memory into wire bytes. Everything here is hostile until checked.

use super::hosted;
use super::pieces::Out;
use super::reader::{Cases, bad_pointer, cannot_cross, cases, flags_mask, flags_words, plain_size, unliftable};
use crate::fault::{Fault, Kind};
use wasmtime::component::__internal::LiftContext;
use wasmtime::component::__internal::wasmtime_environ::component::{InterfaceType, StringEncoding};
use wasmtime::component::Lift;
use wasmtime::{Result, ValRaw};

pub(super) fn charge(cx: &mut LiftContext<'_>, bytes: usize) -> Result<()> {
    cx.consume_fuel(bytes).map_err(|_| unliftable("the guest passes more data in one call than its limit allows"))
}

pub(super) fn slice<'m>(cx: &LiftContext<'m>, ptr: u32, bytes: usize, align: u32, what: &str) -> Result<&'m [u8]> {
    let ptr = ptr as usize;
    if !ptr.is_multiple_of(align as usize) {
        return Err(bad_pointer(format!("the pointer of a {what} is not aligned")));
    }
    let memory = cx.memory();
    ptr.checked_add(bytes)
        .and_then(|end| memory.get(ptr..end))
        .ok_or_else(|| bad_pointer(format!("a {what} lies outside the guest's memory")))
}

/// The bytes of a UTF-8 string, charged and checked.
pub(super) fn checked_text<'m>(cx: &mut LiftContext<'m>, ptr: u32, len: u32) -> Result<&'m [u8]> {
    let bytes = slice(cx, ptr, len as usize, 1, "string")?;
    charge(cx, bytes.len())?;
    match simdutf8::basic::from_utf8(bytes) {
        Ok(_) => Ok(bytes),
        Err(_) => Err(Fault::new(Kind::BadString, "a string of the guest is not UTF-8").into()),
    }
}

fn lift_string<'m>(cx: &mut LiftContext<'m>, ptr: u32, len: u32, out: &mut impl Out<'m>) -> Result<()> {
    if cx.options().string_encoding == StringEncoding::Utf8 {
        let bytes = checked_text(cx, ptr, len)?;
        out.put(&len.to_le_bytes());
        out.block(bytes);
        return Ok(());
    }
    let pair = [ValRaw::u32(ptr), ValRaw::u32(len)];
    let text = String::linear_lift_from_flat(cx, InterfaceType::String, &pair)?;
    out.put(&(text.len() as u32).to_le_bytes());
    out.put(text.as_bytes());
    Ok(())
}

fn lift_list<'m>(
    cx: &mut LiftContext<'m>,
    element: InterfaceType,
    ptr: u32,
    len: u32,
    out: &mut impl Out<'m>,
) -> Result<()> {
    let abi = cx.types.canonical_abi(&element);
    let (size, align) = (abi.size32 as usize, abi.align32);
    let bytes = (len as usize).checked_mul(size).ok_or_else(|| unliftable("a list of the guest is too long"))?;
    // Elements without size still cost, or a list of 2^28 of them would be free for the guest and not for the host.
    charge(cx, bytes.max(len as usize))?;
    let data = slice(cx, ptr, bytes, align, "list")?;
    out.put(&len.to_le_bytes());
    if plain_size(element).is_some() {
        out.block(data);
        return Ok(());
    }
    for n in 0..len as usize {
        load(cx, element, &data[n * size..][..size], out)?;
    }
    Ok(())
}

fn lift_map<'m>(cx: &mut LiftContext<'m>, ty: InterfaceType, ptr: u32, len: u32, out: &mut impl Out<'m>) -> Result<()> {
    let InterfaceType::Map(i) = ty else { unreachable!() };
    let types = cx.types;
    let map = &types[i];
    let size = map.entry_abi.size32 as usize;
    let bytes = (len as usize).checked_mul(size).ok_or_else(|| unliftable("a map of the guest is too long"))?;
    charge(cx, bytes.max(len as usize))?;
    let data = slice(cx, ptr, bytes, map.entry_abi.align32, "map")?;
    out.put(&len.to_le_bytes());
    let (key_size, value_size) =
        (types.canonical_abi(&map.key).size32 as usize, types.canonical_abi(&map.value).size32 as usize);
    for n in 0..len as usize {
        load(cx, map.key, &data[n * size..][..key_size], out)?;
        load(cx, map.value, &data[n * size + map.value_offset32 as usize..][..value_size], out)?;
    }
    Ok(())
}

pub(super) fn pointer_pair(bytes: &[u8]) -> (u32, u32) {
    (u32::from_le_bytes(bytes[..4].try_into().unwrap()), u32::from_le_bytes(bytes[4..8].try_into().unwrap()))
}

fn put_case<'m>(cases: &Cases<'_>, case: u32, out: &mut impl Out<'m>) {
    if cases.short() { out.put(&[case as u8]) } else { out.put(&case.to_le_bytes()) }
}

pub(super) fn checked_char(bits: u32) -> Result<u32> {
    char::from_u32(bits).map(u32::from).ok_or_else(|| unliftable("a char of the guest is not a Unicode scalar value"))
}

fn put_char<'m>(bits: u32, out: &mut impl Out<'m>) -> Result<()> {
    out.put(&checked_char(bits)?.to_le_bytes());
    Ok(())
}

fn put_flags<'m>(bits: u32, names: usize, word: usize, out: &mut impl Out<'m>) -> Result<()> {
    if bits & !flags_mask(names, word) != 0 {
        return Err(unliftable("the guest set a flag that its type does not have"));
    }
    out.put(&bits.to_le_bytes());
    Ok(())
}

/// Reads one value from guest memory; `bytes` is exactly the type's size.
pub(super) fn load<'m>(
    cx: &mut LiftContext<'m>,
    ty: InterfaceType,
    bytes: &[u8],
    out: &mut impl Out<'m>,
) -> Result<()> {
    let types = cx.types;
    if plain_size(ty).is_some() {
        out.put(bytes);
        return Ok(());
    }
    match ty {
        InterfaceType::Bool => out.put(&[u8::from(bytes[0] != 0)]),
        InterfaceType::Char => put_char(u32::from_le_bytes(bytes[..4].try_into().unwrap()), out)?,
        InterfaceType::String => {
            let (ptr, len) = pointer_pair(bytes);
            lift_string(cx, ptr, len, out)?;
        }
        InterfaceType::List(i) => {
            let (ptr, len) = pointer_pair(bytes);
            lift_list(cx, types[i].element, ptr, len, out)?;
        }
        InterfaceType::Map(_) => {
            let (ptr, len) = pointer_pair(bytes);
            lift_map(cx, ty, ptr, len, out)?;
        }
        InterfaceType::Record(i) => {
            let mut at = 0;
            for field in types[i].fields.iter() {
                load_field(cx, field.ty, bytes, &mut at, out)?;
            }
        }
        InterfaceType::Tuple(i) => {
            let mut at = 0;
            for field in types[i].types.iter() {
                load_field(cx, *field, bytes, &mut at, out)?;
            }
        }
        InterfaceType::FixedLengthList(i) => {
            let size = types.canonical_abi(&types[i].element).size32 as usize;
            for n in 0..types[i].size as usize {
                load(cx, types[i].element, &bytes[n * size..][..size], out)?;
            }
        }
        InterfaceType::Flags(i) => {
            let names = types[i].names.len();
            for word in 0..flags_words(names) {
                let bits = match names {
                    0..=8 => u32::from(bytes[0]),
                    9..=16 => u32::from(u16::from_le_bytes(bytes[..2].try_into().unwrap())),
                    _ => u32::from_le_bytes(bytes[word * 4..][..4].try_into().unwrap()),
                };
                put_flags(bits, names, word, out)?;
            }
        }
        InterfaceType::Variant(_) | InterfaceType::Enum(_) | InterfaceType::Option(_) | InterfaceType::Result(_) => {
            let (cases, info) = cases(types, ty).expect("matched above");
            let case = match usize::from(info.size) {
                1 => u32::from(bytes[0]),
                2 => u32::from(u16::from_le_bytes(bytes[..2].try_into().unwrap())),
                _ => u32::from_le_bytes(bytes[..4].try_into().unwrap()),
            };
            let payload = cases.payload(case)?;
            put_case(&cases, case, out);
            if let Some(payload) = payload {
                let size = types.canonical_abi(&payload).size32 as usize;
                load(cx, payload, &bytes[info.payload_offset32 as usize..][..size], out)?;
            }
        }
        InterfaceType::Own(_) | InterfaceType::Borrow(_) => {
            let index = u32::from_le_bytes(bytes[..4].try_into().unwrap());
            out.put(&hosted::lift(cx, ty, index)?.to_le_bytes());
        }
        other => return Err(cannot_cross(other)),
    }
    Ok(())
}

fn load_field<'m>(
    cx: &mut LiftContext<'m>,
    ty: InterfaceType,
    bytes: &[u8],
    at: &mut usize,
    out: &mut impl Out<'m>,
) -> Result<()> {
    let abi = cx.types.canonical_abi(&ty);
    let size = abi.size32 as usize;
    let place = abi.next_field32_size(at);
    load(cx, ty, &bytes[place..][..size], out)
}

/// Flat values in order.
pub(super) struct Flat<'s> {
    pub(super) slots: &'s [ValRaw],
}

impl Flat<'_> {
    fn next(&mut self) -> Result<ValRaw> {
        let (first, rest) = self.slots.split_first().ok_or_else(|| unliftable("too few flat values"))?;
        self.slots = rest;
        Ok(*first)
    }
}

pub(super) fn unflatten<'m>(
    cx: &mut LiftContext<'m>,
    ty: InterfaceType,
    src: &mut Flat<'_>,
    out: &mut impl Out<'m>,
) -> Result<()> {
    let types = cx.types;
    match ty {
        InterfaceType::Bool => out.put(&[u8::from(src.next()?.get_i32() != 0)]),
        InterfaceType::U8 | InterfaceType::S8 => out.put(&[src.next()?.get_u32() as u8]),
        InterfaceType::U16 | InterfaceType::S16 => out.put(&(src.next()?.get_u32() as u16).to_le_bytes()),
        InterfaceType::U32 | InterfaceType::S32 => out.put(&src.next()?.get_u32().to_le_bytes()),
        InterfaceType::Float32 => out.put(&src.next()?.get_f32().to_le_bytes()),
        InterfaceType::U64 | InterfaceType::S64 => out.put(&src.next()?.get_u64().to_le_bytes()),
        InterfaceType::Float64 => out.put(&src.next()?.get_f64().to_le_bytes()),
        InterfaceType::Char => put_char(src.next()?.get_u32(), out)?,
        InterfaceType::String => {
            let (ptr, len) = (src.next()?.get_u32(), src.next()?.get_u32());
            lift_string(cx, ptr, len, out)?;
        }
        InterfaceType::List(_) | InterfaceType::Map(_) => {
            let (ptr, len) = (src.next()?.get_u32(), src.next()?.get_u32());
            match ty {
                InterfaceType::List(i) => lift_list(cx, types[i].element, ptr, len, out)?,
                _ => lift_map(cx, ty, ptr, len, out)?,
            }
        }
        InterfaceType::Record(i) => {
            for field in types[i].fields.iter() {
                unflatten(cx, field.ty, src, out)?;
            }
        }
        InterfaceType::Tuple(i) => {
            for field in types[i].types.iter() {
                unflatten(cx, *field, src, out)?;
            }
        }
        InterfaceType::FixedLengthList(i) => {
            for _ in 0..types[i].size {
                unflatten(cx, types[i].element, src, out)?;
            }
        }
        InterfaceType::Flags(i) => {
            let names = types[i].names.len();
            for word in 0..flags_words(names) {
                put_flags(src.next()?.get_u32(), names, word, out)?;
            }
        }
        InterfaceType::Variant(_) | InterfaceType::Enum(_) | InterfaceType::Option(_) | InterfaceType::Result(_) => {
            let total = types.canonical_abi(&ty).flat_count(usize::MAX).ok_or_else(|| unliftable("not flat"))?;
            let after = src.slots.get(total..).ok_or_else(|| unliftable("too few flat values"))?;
            let (cases, _) = cases(types, ty).expect("matched above");
            let case = src.next()?.get_u32();
            let payload = cases.payload(case)?;
            put_case(&cases, case, out);
            if let Some(payload) = payload {
                unflatten(cx, payload, src, out)?;
            }
            src.slots = after;
        }
        InterfaceType::Own(_) | InterfaceType::Borrow(_) => {
            out.put(&hosted::lift(cx, ty, src.next()?.get_u32())?.to_le_bytes());
        }
        other => return Err(cannot_cross(other)),
    }
    Ok(())
}
