//! The bridge as worker processes have it: the same C ABI, without a compiler, an HTTP client or the parsers of hostile
//! formats. What they do elsewhere fails here with `CORDON_STATUS_UNAVAILABLE`.

pub use cordon_bridge::*;
