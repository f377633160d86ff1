//! Every way to fail, as an errno of the preview or as the end of the call.

use super::types::{Errno, Error};
use wasmtime_wasi::p2::FsError;
use wasmtime_wasi::p2::bindings::filesystem::types::ErrorCode;
use wiggle::GuestError;

impl wiggle::GuestErrorType for Errno {
    fn success() -> Self {
        Self::Success
    }
}

impl From<GuestError> for Error {
    fn from(err: GuestError) -> Self {
        use GuestError as G;
        match err {
            // What the preview demands of pointers (witx-docs.md, "Pointers").
            G::PtrOverflow | G::PtrOutOfBounds { .. } | G::PtrNotAligned { .. } => Error::trap(err.into()),
            G::InvalidFlagValue { .. } | G::InvalidEnumValue { .. } => Errno::Inval.into(),
            G::InvalidUtf8 { .. } => Errno::Ilseq.into(),
            G::TryFromIntError { .. } => Errno::Overflow.into(),
            G::SliceLengthsDiffer => Errno::Fault.into(),
            G::InFunc { err, .. } => Error::from(*err),
        }
    }
}

impl From<std::num::TryFromIntError> for Error {
    fn from(_: std::num::TryFromIntError) -> Self {
        Errno::Overflow.into()
    }
}

impl From<FsError> for Error {
    fn from(err: FsError) -> Self {
        match err.downcast() {
            Ok(code) => Errno::from(code).into(),
            Err(trap) => Error::trap(trap),
        }
    }
}

impl From<ErrorCode> for Errno {
    fn from(code: ErrorCode) -> Self {
        match code {
            ErrorCode::Access => Errno::Acces,
            ErrorCode::WouldBlock => Errno::Again,
            ErrorCode::Already => Errno::Already,
            ErrorCode::BadDescriptor => Errno::Badf,
            ErrorCode::Busy => Errno::Busy,
            ErrorCode::Deadlock => Errno::Deadlk,
            ErrorCode::Quota => Errno::Dquot,
            ErrorCode::Exist => Errno::Exist,
            ErrorCode::FileTooLarge => Errno::Fbig,
            ErrorCode::IllegalByteSequence => Errno::Ilseq,
            ErrorCode::InProgress => Errno::Inprogress,
            ErrorCode::Interrupted => Errno::Intr,
            ErrorCode::Invalid => Errno::Inval,
            ErrorCode::Io => Errno::Io,
            ErrorCode::IsDirectory => Errno::Isdir,
            ErrorCode::Loop => Errno::Loop,
            ErrorCode::TooManyLinks => Errno::Mlink,
            ErrorCode::MessageSize => Errno::Msgsize,
            ErrorCode::NameTooLong => Errno::Nametoolong,
            ErrorCode::NoDevice => Errno::Nodev,
            ErrorCode::NoEntry => Errno::Noent,
            ErrorCode::NoLock => Errno::Nolck,
            ErrorCode::InsufficientMemory => Errno::Nomem,
            ErrorCode::InsufficientSpace => Errno::Nospc,
            ErrorCode::NotDirectory => Errno::Notdir,
            ErrorCode::NotEmpty => Errno::Notempty,
            ErrorCode::NotRecoverable => Errno::Notrecoverable,
            ErrorCode::Unsupported => Errno::Notsup,
            ErrorCode::NoTty => Errno::Notty,
            ErrorCode::NoSuchDevice => Errno::Nxio,
            ErrorCode::Overflow => Errno::Overflow,
            ErrorCode::NotPermitted => Errno::Perm,
            ErrorCode::Pipe => Errno::Pipe,
            ErrorCode::ReadOnly => Errno::Rofs,
            ErrorCode::InvalidSeek => Errno::Spipe,
            ErrorCode::TextFileBusy => Errno::Txtbsy,
            ErrorCode::CrossDevice => Errno::Xdev,
        }
    }
}
