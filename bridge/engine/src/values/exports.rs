//! A call of an export: its parameters on the way in, its results on the way out.

use super::lift::{Flat, load, pointer_pair, slice, unflatten};
use super::lower::{Slots, flatten, store};
use super::pieces::{Lifted, Piece, Sink};
use super::reader::{Reader, bad_pointer, misfit};
use super::shape::{Shape, Simple};
use crate::fault::{Fault, Kind};
use std::cell::Cell;
use std::marker::PhantomData;
use std::mem::MaybeUninit;
use std::ptr::{NonNull, null_mut};
use wasmtime::component::__internal::wasmtime_environ::component::{
    CanonicalAbiInfo, InterfaceType, MAX_FLAT_PARAMS, StringEncoding,
};
use wasmtime::component::__internal::{InstanceType, LiftContext, LowerContext};
use wasmtime::component::{ComponentNamedList, ComponentType, Lift, Lower};
use wasmtime::{Result, ValRaw};

/// What a call passes.
pub struct Given<'a> {
    pub input: &'a [Piece<'a>],
    pub shape: &'a Shape,
}

/// Parameters of an export: lowered flat when they fit 16 slots, else through a block in guest memory, as the
/// canonical ABI says. `Lower` is always the widest run; the trampoline reads the slots of the function's own type.
///
/// One pointer, because Wasmtime moves it about.
pub struct Params<'a>(pub &'a Given<'a>);

// Safety: `Lower` is an array of ValRaw; `linear_lower_to_flat` fills as many slots as the function's type has, or
// the one pointer; nothing else is read. `ABI` and the memory form are never used, since 16 slots always "fit".
unsafe impl ComponentType for Params<'_> {
    type Lower = [ValRaw; MAX_FLAT_PARAMS];
    const ABI: CanonicalAbiInfo = CanonicalAbiInfo::ZERO;
    fn typecheck(_: &InterfaceType, _: &InstanceType<'_>) -> Result<()> {
        Ok(())
    }
}
unsafe impl ComponentNamedList for Params<'_> {}
unsafe impl Lower for Params<'_> {
    fn linear_lower_to_flat<T>(
        &self,
        cx: &mut LowerContext<'_, T>,
        ty: InterfaceType,
        dst: &mut MaybeUninit<[ValRaw; MAX_FLAT_PARAMS]>,
    ) -> Result<()> {
        // Safety: an array of MaybeUninit needs no initialisation.
        let slots = unsafe { &mut *dst.as_mut_ptr().cast::<[MaybeUninit<ValRaw>; MAX_FLAT_PARAMS]>() };
        let mut reader = Reader::over(self.0.input);
        if let Some(params) = &self.0.shape.params {
            let mut rest = &mut slots[..];
            for param in params {
                rest = param.lower(cx, &mut reader, rest)?;
            }
            return reader.finish();
        }
        let abi = cx.types.canonical_abi(&ty);
        if abi.flat_count(MAX_FLAT_PARAMS).is_some() {
            flatten(cx, ty, &mut reader, &mut Slots { slots, used: 0 })?;
        } else {
            let (size, align) = (abi.size32 as usize, abi.align32);
            let ptr = cx.realloc(0, 0, align, size)?;
            store(cx, ty, &mut reader, ptr)?;
            slots[0].write(ValRaw::i64(ptr as i64));
        }
        reader.finish()
    }

    fn linear_lower_to_memory<T>(&self, _: &mut LowerContext<'_, T>, _: InterfaceType, _: usize) -> Result<()> {
        Err(misfit("parameters are never lowered to memory here"))
    }
}

/// Where the results of the running call go. `Lift` makes values out of nothing but guest memory, so the way to here is
/// a pointer of the thread: see `Receiving`.
struct Receiver<'s> {
    shape: &'s Shape,
    sink: &'s mut Sink<'s>,
    bytes: u64,
}

thread_local! {
    static RECEIVER: Cell<*mut Receiver<'static>> = const { Cell::new(null_mut()) };
}

/// The receiver of a call that leaves the thread to others (lane.rs).
pub(crate) struct KeptReceiver(*mut Receiver<'static>);

pub(crate) fn take_receiver() -> KeptReceiver {
    KeptReceiver(RECEIVER.replace(null_mut()))
}

pub(crate) fn put_receiver(kept: KeptReceiver) {
    RECEIVER.set(kept.0);
}

/// Makes `receiver` the one for results that this thread lifts, until it is dropped. A call inside a call (a host
/// function that calls another guest) has its own in between: the last one set is the first one gone.
struct Receiving<'r> {
    previous: *mut Receiver<'static>,
    receiver: PhantomData<&'r mut Receiver<'r>>,
}

impl Drop for Receiving<'_> {
    fn drop(&mut self) {
        RECEIVER.set(self.previous);
    }
}

/// Runs a call whose `Results` go to `sink`, and gives its outcome with the count of bytes that went there.
#[inline]
pub fn receive<'s, R>(shape: &'s Shape, sink: &'s mut Sink<'_>, call: impl FnOnce() -> R) -> (R, u64) {
    let mut receiver = Receiver { shape, sink, bytes: 0 };
    let at: *mut Receiver<'_> = &mut receiver;
    let receiving = Receiving { previous: RECEIVER.replace(at.cast()), receiver: PhantomData };
    let outcome = call();
    drop(receiving);
    // Safety: a local of this function that nothing else refers to any more.
    (outcome, unsafe { (*at).bytes })
}

/// The receiver of the running call.
#[inline]
fn receiver<'r>() -> Result<&'r mut Receiver<'r>> {
    match NonNull::new(RECEIVER.get()) {
        // Safety: set by `receive`, which is still on this thread's stack and looks at its receiver only after the
        // guard is gone. A call lifts one result at a time, so this is the only reference.
        Some(at) => Ok(unsafe { at.cast::<Receiver<'r>>().as_mut() }),
        None => Err(Fault::new(Kind::Internal, "a result without a call that takes it").into()),
    }
}

/// Results of an export, handed to the receiver while they are lifted: R is 0 or 1 for flat results, 2 for results
/// behind a pointer.
pub struct Results<const R: usize>;

// Safety: `Lower` is an array of ValRaw of the function's own flat result count (0 or 1), or of 2, which tells
// Wasmtime to read a pointer; then pointer, size and alignment are checked here.
unsafe impl<const R: usize> ComponentType for Results<R> {
    type Lower = [ValRaw; R];
    const ABI: CanonicalAbiInfo = CanonicalAbiInfo::ZERO;
    fn typecheck(_: &InterfaceType, _: &InstanceType<'_>) -> Result<()> {
        Ok(())
    }
}
unsafe impl<const R: usize> ComponentNamedList for Results<R> {}
unsafe impl<const R: usize> Lift for Results<R> {
    fn linear_lift_from_flat(cx: &mut LiftContext<'_>, ty: InterfaceType, src: &[ValRaw; R]) -> Result<Self> {
        let receiver = receiver()?;
        if let (Some(Simple::Scalar(scalar)), Some(slot)) = (receiver.shape.result, src.first()) {
            let mut bytes = [0; 8];
            let size = scalar.lift(*slot, &mut bytes)?;
            (receiver.sink)(&[Piece::new(&bytes[..size])]);
            receiver.bytes = size as u64;
            return Ok(Results);
        }
        let mut out = Lifted::new();
        unflatten(cx, ty, &mut Flat { slots: src }, &mut out)?;
        receiver.bytes = out.give(receiver.sink);
        Ok(Results)
    }

    fn linear_lift_from_memory(cx: &mut LiftContext<'_>, ty: InterfaceType, at: &[u8]) -> Result<Self> {
        let receiver = receiver()?;
        let bytes = tuple_bytes(cx, ty, at)?;
        if let Some(result @ (Simple::Text | Simple::Block(_))) = receiver.shape.result
            && bytes.len() == 8
            && cx.options().string_encoding == StringEncoding::Utf8
        {
            let (ptr, len) = pointer_pair(bytes);
            receiver.bytes = result.give(cx, [ptr, len], receiver.sink)?;
            return Ok(Results);
        }
        let mut out = Lifted::new();
        load(cx, ty, bytes, &mut out)?;
        receiver.bytes = out.give(receiver.sink);
        Ok(Results)
    }
}

/// The bytes of a tuple behind a pointer. Wasmtime made `at` from the guest's pointer with a size and an alignment that
/// say nothing here.
pub(super) fn tuple_bytes<'m>(cx: &LiftContext<'m>, ty: InterfaceType, at: &[u8]) -> Result<&'m [u8]> {
    let abi = cx.types.canonical_abi(&ty);
    let offset = (at.as_ptr() as usize).wrapping_sub(cx.memory().as_ptr() as usize);
    let offset = u32::try_from(offset).map_err(|_| bad_pointer("a pointer lies outside memory"))?;
    slice(cx, offset, abi.size32 as usize, abi.align32, "result")
}
