//! Payloads in several places: what a caller passes, and what a result is made of.

use std::cell::Cell;
use std::marker::PhantomData;

/// Bytes in one place of several that are one payload, as C passes them.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Piece<'a> {
    data: *const u8,
    len: usize,
    of: PhantomData<&'a [u8]>,
}

// Safety: it is what `&[u8]` is.
unsafe impl Send for Piece<'_> {}
unsafe impl Sync for Piece<'_> {}

impl<'a> Piece<'a> {
    #[inline]
    pub fn new(bytes: &'a [u8]) -> Piece<'a> {
        Piece { data: bytes.as_ptr(), len: bytes.len(), of: PhantomData }
    }

    #[inline]
    pub fn get(self) -> &'a [u8] {
        // Safety: made by `new`, or by C under the same promise; C may say NULL for nothing.
        if self.data.is_null() { &[] } else { unsafe { std::slice::from_raw_parts(self.data, self.len) } }
    }
}

/// Receives a result, at most once. It runs while the guest's memory is lent to it.
pub type Sink<'s> = dyn FnMut(&[Piece<'_>]) + 's;

/// Where lifted values go.
pub(super) trait Out<'m> {
    fn put(&mut self, bytes: &[u8]);
    /// Bytes that stay where they are for as long as `'m`.
    fn block(&mut self, bytes: &'m [u8]);
}

impl<'m> Out<'m> for Vec<u8> {
    fn put(&mut self, bytes: &[u8]) {
        self.extend_from_slice(bytes);
    }

    fn block(&mut self, bytes: &'m [u8]) {
        self.extend_from_slice(bytes);
    }
}

/// Shorter blocks are gathered: a copy of so little costs less than a piece.
const LONG_BYTES: usize = 256;
/// So many pieces need no list of their own.
const FEW: usize = 5;
const KEPT_BYTES_MAX: usize = 256 << 10;

/// A block that was left in place: what is gathered before it, and where it is.
struct Block {
    after: usize,
    data: *const u8,
    len: usize,
}

#[derive(Default)]
struct Scratch {
    gathered: Vec<u8>,
    blocks: Vec<Block>,
}

// One a thread, so that a warm call allocates nothing. A call inside a call finds none and makes its own.
thread_local! {
    static SCRATCH: Cell<Option<Box<Scratch>>> = const { Cell::new(None) };
}

/// A result while it is lifted: short values gathered, long ones left in the guest's memory.
pub(super) struct Lifted<'m> {
    scratch: Box<Scratch>,
    memory: PhantomData<&'m [u8]>,
}

impl<'m> Out<'m> for Lifted<'m> {
    fn put(&mut self, bytes: &[u8]) {
        self.scratch.gathered.extend_from_slice(bytes);
    }

    fn block(&mut self, bytes: &'m [u8]) {
        if bytes.len() < LONG_BYTES {
            return self.put(bytes);
        }
        let after = self.scratch.gathered.len();
        self.scratch.blocks.push(Block { after, data: bytes.as_ptr(), len: bytes.len() });
    }
}

impl<'m> Lifted<'m> {
    pub(super) fn new() -> Lifted<'m> {
        let mut scratch = SCRATCH.take().unwrap_or_default();
        scratch.gathered.clear();
        scratch.blocks.clear();
        Lifted { scratch, memory: PhantomData }
    }

    /// Hands everything over, in order, and says how many bytes it was.
    pub(super) fn give(self, sink: &mut Sink<'_>) -> u64 {
        let Scratch { gathered, blocks } = &*self.scratch;
        let total = gathered.len() + blocks.iter().map(|block| block.len).sum::<usize>();
        let count = blocks.len() * 2 + 1;
        let (mut few, mut many) = ([Piece::new(&[]); FEW], Vec::new());
        let pieces = if count <= FEW {
            &mut few[..count]
        } else {
            many.resize(count, Piece::new(&[]));
            &mut many[..]
        };
        let mut at = 0;
        for (pair, block) in pieces.chunks_exact_mut(2).zip(blocks) {
            pair[0] = Piece::new(&gathered[at..block.after]);
            // Safety: `block` got these bytes for 'm, which is not over.
            pair[1] = Piece::new(unsafe { std::slice::from_raw_parts(block.data, block.len) });
            at = block.after;
        }
        pieces[count - 1] = Piece::new(&gathered[at..]);
        // A result that ends with a block ends there.
        let used = if at == gathered.len() && count > 1 { count - 1 } else { count };
        sink(&pieces[..used]);
        let scratch = self.scratch;
        if scratch.gathered.capacity() <= KEPT_BYTES_MAX && scratch.blocks.capacity() <= KEPT_BYTES_MAX / 32 {
            SCRATCH.set(Some(scratch));
        }
        total as u64
    }
}
