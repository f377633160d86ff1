//! Values in the wire format (docs/formats/wire.md) straight to and from the canonical ABI.
//!
//! Wasmtime's dynamic `Val` costs tens of nanoseconds per list element. Its typed path is generic over `Lower` and
//! `Lift`, whose methods receive the component's own type at run time; so these types, whose Rust type says nothing,
//! walk that type and move bytes: a list of numbers is one copy, at any depth.
//!
//! Safety: `ComponentType` is unsafe because its `Lower` must be a run of `ValRaw` and `linear_lower_to_flat` must
//! initialise what the trampoline reads. Each impl below states how it keeps that. Everything that comes from guest
//! memory is bounds-checked here, and everything that comes from the wire is checked by `Reader`.

mod exports;
mod hosted;
mod lift;
mod lower;
mod pieces;
mod reader;
mod shape;

pub use exports::{Given, Params, Results, receive};
pub(crate) use exports::{KeptReceiver, put_receiver, take_receiver};
pub use hosted::Hosted;
pub use pieces::{Piece, Sink};
pub use reader::Reader;
pub use shape::Shape;

use exports::tuple_bytes;
use lift::{Flat, load, unflatten};
use lower::{Slots, flatten, store};
use reader::misfit;
use std::mem::MaybeUninit;
use wasmtime::component::__internal::wasmtime_environ::component::{CanonicalAbiInfo, InterfaceType};
use wasmtime::component::__internal::{InstanceType, LiftContext, LowerContext};
use wasmtime::component::{ComponentNamedList, ComponentType, Lift, Lower};
use wasmtime::{Result, ValRaw};

/// Parameters of a host function: N is their flat count, or anything when they come through memory.
pub struct HostParams<const N: usize>(pub Vec<u8>);

// Safety: as for an export's results; the linker picks N from the import's own type.
unsafe impl<const N: usize> ComponentType for HostParams<N> {
    type Lower = [ValRaw; N];
    const ABI: CanonicalAbiInfo = CanonicalAbiInfo::ZERO;
    fn typecheck(_: &InterfaceType, _: &InstanceType<'_>) -> Result<()> {
        Ok(())
    }
}
unsafe impl<const N: usize> ComponentNamedList for HostParams<N> {}
unsafe impl<const N: usize> Lift for HostParams<N> {
    fn linear_lift_from_flat(cx: &mut LiftContext<'_>, ty: InterfaceType, src: &[ValRaw; N]) -> Result<Self> {
        let mut out = take_buffer();
        unflatten(cx, ty, &mut Flat { slots: src }, &mut out)?;
        Ok(HostParams(out))
    }

    fn linear_lift_from_memory(cx: &mut LiftContext<'_>, ty: InterfaceType, at: &[u8]) -> Result<Self> {
        let mut out = take_buffer();
        load(cx, ty, tuple_bytes(cx, ty, at)?, &mut out)?;
        Ok(HostParams(out))
    }
}

/// The parameters of a denying stub: they are not even looked at.
pub struct Ignored<const N: usize>;

// Safety: `Lower` is an array of ValRaw, as for HostParams; nothing is read.
unsafe impl<const N: usize> ComponentType for Ignored<N> {
    type Lower = [ValRaw; N];
    const ABI: CanonicalAbiInfo = CanonicalAbiInfo::ZERO;
    fn typecheck(_: &InterfaceType, _: &InstanceType<'_>) -> Result<()> {
        Ok(())
    }
}
unsafe impl<const N: usize> ComponentNamedList for Ignored<N> {}
unsafe impl<const N: usize> Lift for Ignored<N> {
    fn linear_lift_from_flat(_: &mut LiftContext<'_>, _: InterfaceType, _: &[ValRaw; N]) -> Result<Self> {
        Ok(Ignored)
    }

    fn linear_lift_from_memory(_: &mut LiftContext<'_>, _: InterfaceType, _: &[u8]) -> Result<Self> {
        Ok(Ignored)
    }
}

/// Results of a host function: R is their flat count (0 or 1), or anything when they go through memory.
pub struct HostResults<const R: usize>(pub Vec<u8>);

// Safety: `linear_lower_to_flat` fills all R slots or fails; the memory form gets a pointer that Wasmtime has checked
// against the function's own type.
unsafe impl<const R: usize> ComponentType for HostResults<R> {
    type Lower = [ValRaw; R];
    const ABI: CanonicalAbiInfo = CanonicalAbiInfo::ZERO;
    fn typecheck(_: &InterfaceType, _: &InstanceType<'_>) -> Result<()> {
        Ok(())
    }
}
unsafe impl<const R: usize> ComponentNamedList for HostResults<R> {}
unsafe impl<const R: usize> Lower for HostResults<R> {
    fn linear_lower_to_flat<T>(
        &self,
        cx: &mut LowerContext<'_, T>,
        ty: InterfaceType,
        dst: &mut MaybeUninit<[ValRaw; R]>,
    ) -> Result<()> {
        // Safety: an array of MaybeUninit needs no initialisation.
        let slots = unsafe { &mut *dst.as_mut_ptr().cast::<[MaybeUninit<ValRaw>; R]>() };
        let mut reader = Reader::new(&self.0);
        let mut out = Slots { slots, used: 0 };
        flatten(cx, ty, &mut reader, &mut out)?;
        if out.used != R {
            return Err(misfit("a host result has another shape"));
        }
        reader.finish()
    }

    fn linear_lower_to_memory<T>(&self, cx: &mut LowerContext<'_, T>, ty: InterfaceType, offset: usize) -> Result<()> {
        let mut reader = Reader::new(&self.0);
        store(cx, ty, &mut reader, offset)?;
        reader.finish()
    }
}

// One buffer a thread, so that a message allocates nothing.
thread_local! {
    static BUFFER: std::cell::Cell<Vec<u8>> = const { std::cell::Cell::new(Vec::new()) };
}
const KEPT_BUFFER_BYTES_MAX: usize = 256 << 10;

fn take_buffer() -> Vec<u8> {
    let mut buffer = BUFFER.take();
    buffer.clear();
    buffer
}

/// Gives a message's buffer back for the next one.
pub fn recycle(buffer: Vec<u8>) {
    if buffer.capacity() <= KEPT_BUFFER_BYTES_MAX {
        BUFFER.set(buffer);
    }
}
