//! Handles of resources that a host service defines cross as the number that the service gave them, its `rep`.
//!
//! The guest's table maps its handles to reps and knows which resource each belongs to, so a guest passes only what it
//! was given, and only where that resource is expected. Resources of anybody else never cross.

use super::reader::cannot_cross;
use crate::fault::{Fault, Kind};
use wasmtime::Result;
use wasmtime::component::__internal::wasmtime_environ::component::{InterfaceType, TypeResourceTableIndex};
use wasmtime::component::__internal::{LiftContext, LowerContext};
use wasmtime::component::ResourceType;

/// The host's type of every such resource; the guest's tables tell them apart.
pub struct Hosted;

fn bad_handle(error: wasmtime::Error) -> wasmtime::Error {
    Fault::new(Kind::Handle, format!("{error:#}")).into()
}

fn table_of(ty: InterfaceType, is_hosted: impl Fn(TypeResourceTableIndex) -> ResourceType) -> Result<()> {
    match ty {
        InterfaceType::Own(t) | InterfaceType::Borrow(t) if is_hosted(t) == ResourceType::host::<Hosted>() => Ok(()),
        other => Err(cannot_cross(other)),
    }
}

/// The rep behind a handle of the guest; an `own` leaves the guest's table.
pub(super) fn lift(cx: &mut LiftContext<'_>, ty: InterfaceType, handle: u32) -> Result<u32> {
    table_of(ty, |t| cx.resource_type(t))?;
    match ty {
        InterfaceType::Own(t) => Ok(cx.guest_resource_lift_own(t, handle).map_err(bad_handle)?.0),
        InterfaceType::Borrow(t) => cx.guest_resource_lift_borrow(t, handle).map_err(bad_handle),
        other => Err(cannot_cross(other)),
    }
}

/// A handle in the guest's table for a rep of the service. Only an `own` goes in: what a guest lends itself, it has.
pub(super) fn lower<T: 'static>(cx: &mut LowerContext<'_, T>, ty: InterfaceType, rep: u32) -> Result<u32> {
    table_of(ty, |t| cx.resource_type(t))?;
    match ty {
        InterfaceType::Own(t) => cx.guest_resource_lower_own(t, rep),
        other => Err(cannot_cross(other)),
    }
}
