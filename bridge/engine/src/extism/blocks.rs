//! The kernel's memory (kernel.wat) as the host sees it. A guest can write over the blocks, so what stands in them is
//! checked at each step, and no walk is longer than the memory.

use std::ops::Range;

const USED: usize = 9;
const LENGTH: usize = 17;
const ERROR: usize = 25;
const INPUT: usize = 33;
const OUTPUT: usize = 49;
const BLOCKS: usize = 65;
const HEAD: u64 = 12;
const PAGE: u64 = 64 << 10;
const FREE: u8 = 2;
const IN_USE: u8 = 1;
/// A freed block is split when so much would be left over.
const SPLIT: u32 = 128;
const ALLOC_MAX: u64 = 0xffff_0000;

pub struct Blocks<'m>(&'m mut [u8]);

/// What became of a wish for memory.
#[derive(Debug, PartialEq, Eq)]
pub enum Place {
    At(u64),
    /// There is room once the memory has so many pages more.
    Pages(u64),
}

impl<'m> Blocks<'m> {
    pub fn new(memory: &'m mut [u8]) -> Blocks<'m> {
        Blocks(memory)
    }

    fn u64(&self, at: usize) -> u64 {
        self.0.get(at..at + 8).map_or(0, |bytes| u64::from_le_bytes(bytes.try_into().unwrap_or_default()))
    }

    fn u32(&self, at: usize) -> u32 {
        self.0.get(at..at + 4).map_or(0, |bytes| u32::from_le_bytes(bytes.try_into().unwrap_or_default()))
    }

    fn put(&mut self, at: usize, bytes: &[u8]) {
        if let Some(slot) = self.0.get_mut(at..at + bytes.len()) {
            slot.copy_from_slice(bytes);
        }
    }

    /// Before any guest runs.
    pub fn open(&mut self) {
        self.put(1, &[1]);
        self.put(LENGTH, &(PAGE - 64).to_le_bytes());
    }

    /// Forgets every block, the input, the output and the error.
    pub fn reset(&mut self) {
        let used = usize::try_from(self.u64(USED)).unwrap_or(usize::MAX);
        let end = BLOCKS.saturating_add(used).min(self.0.len());
        if let Some(blocks) = self.0.get_mut(BLOCKS..end) {
            blocks.fill(0);
        }
        self.put(USED, &[0; 8]);
        self.put(ERROR, &[0; BLOCKS - ERROR]);
    }

    fn status(&self, block: usize) -> u8 {
        self.0.get(block).copied().unwrap_or(0)
    }

    fn next(&self, block: usize) -> usize {
        block + HEAD as usize + self.u32(block + 4) as usize
    }

    fn find(&self, at: u64) -> Option<usize> {
        let at = usize::try_from(at).ok().filter(|at| *at >= BLOCKS && *at < self.0.len())?;
        let wanted = at.checked_sub(HEAD as usize).filter(|wanted| self.status(*wanted) == IN_USE)?;
        let mut block = BLOCKS;
        while block < wanted {
            block = self.next(block);
        }
        (block == wanted).then_some(block)
    }

    /// The bytes of a block: none of offset 0, which stands for nothing; `None` where no block in use begins, or one
    /// without bytes.
    pub fn handle(&self, at: u64) -> Option<Range<usize>> {
        if at == 0 {
            return Some(0..0);
        }
        let block = self.find(at)?;
        let used = self.u32(block + 8) as usize;
        let range = block + HEAD as usize..block + HEAD as usize + used;
        (used > 0 && range.end <= self.0.len()).then_some(range)
    }

    pub fn bytes(&self, range: Range<usize>) -> &[u8] {
        self.0.get(range).unwrap_or_default()
    }

    pub fn free(&mut self, at: u64) {
        let Some(block) = self.find(at) else { return };
        self.put(block, &[FREE]);
        if self.u64(INPUT) == at {
            self.put(INPUT + 8, &[0; 8]);
        }
    }

    fn take(&mut self, block: usize, bytes: u32) -> u64 {
        self.put(block, &[IN_USE]);
        self.put(block + 8, &bytes.to_le_bytes());
        block as u64 + HEAD
    }

    fn reuse(&mut self, bytes: u32) -> Option<usize> {
        let end = BLOCKS.saturating_add(usize::try_from(self.u64(USED)).ok()?).min(self.0.len());
        let mut block = BLOCKS;
        while block < end {
            let size = self.u32(block + 4);
            match self.status(block) {
                0 => return Some(block),
                FREE if size >= bytes => {
                    let left = size - bytes;
                    if left < SPLIT {
                        return Some(block);
                    }
                    self.put(block + 8, &[0; 4]);
                    self.put(block + 4, &(left - HEAD as u32).to_le_bytes());
                    let rest = block + left as usize;
                    self.put(rest + 4, &bytes.to_le_bytes());
                    return Some(rest);
                }
                _ => block = self.next(block),
            }
        }
        None
    }

    /// As the kernel's own `alloc`. `None`: there is no such memory.
    pub fn alloc(&mut self, bytes: u64) -> Option<Place> {
        if bytes > ALLOC_MAX {
            return None;
        }
        let (needed, used) = (bytes + HEAD, self.u64(USED));
        let room = self.u64(LENGTH).saturating_sub(used).saturating_sub(64);
        if needed < room {
            return self.bump(bytes).map(Place::At);
        }
        if needed <= used
            && let Some(block) = self.reuse(bytes as u32)
        {
            let fits = block + (HEAD + bytes) as usize <= self.0.len();
            return fits.then(|| Place::At(self.take(block, bytes as u32)));
        }
        Some(Place::Pages((needed - room).div_ceil(PAGE)))
    }

    /// The block that `alloc` had no room for, after the memory grew by what it said.
    pub fn grown(&mut self, pages: u64, bytes: u64) -> Option<u64> {
        let length = self.u64(LENGTH).saturating_add(pages * PAGE);
        self.put(LENGTH, &length.to_le_bytes());
        self.bump(bytes)
    }

    fn bump(&mut self, bytes: u64) -> Option<u64> {
        let used = self.u64(USED);
        let block = BLOCKS + usize::try_from(used).ok()?;
        if block + (HEAD + bytes) as usize > self.0.len() {
            return None;
        }
        self.put(USED, &(used + bytes + HEAD).to_le_bytes());
        self.put(block + 4, &(bytes as u32).to_le_bytes());
        Some(self.take(block, bytes as u32))
    }

    pub fn fill(&mut self, at: u64, bytes: &[u8]) {
        if let Ok(at) = usize::try_from(at) {
            self.put(at, bytes);
        }
    }

    pub fn set_input(&mut self, at: u64, bytes: u64) {
        self.put(INPUT, &at.to_le_bytes());
        self.put(INPUT + 8, &bytes.to_le_bytes());
    }

    /// What the guest set as its output; `None` when that does not lie in the memory.
    pub fn output(&self) -> Option<Range<usize>> {
        let at = usize::try_from(self.u64(OUTPUT)).ok()?;
        let end = at.checked_add(usize::try_from(self.u64(OUTPUT + 8)).ok()?)?;
        (end <= self.0.len()).then_some(at..end)
    }

    /// What the guest set as its error, when that is a block with bytes.
    pub fn error(&self) -> Option<Range<usize>> {
        match self.u64(ERROR) {
            0 => None,
            at => self.handle(at),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wasmtime::{Engine, Instance, Module, Store};

    /// A small generator, so that every run does the same.
    struct Chance(u64);

    impl Chance {
        fn below(&mut self, n: u64) -> u64 {
            self.0 = self.0.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            (self.0 >> 33) % n
        }
    }

    #[test]
    fn the_host_keeps_blocks_as_the_kernel_does() {
        let engine = Engine::default();
        let mut store = Store::new(&engine, ());
        let module = Module::new(&engine, super::super::KERNEL).unwrap();
        let kernel = Instance::new(&mut store, &module, &[]).unwrap();
        let memory = kernel.get_memory(&mut store, "memory").unwrap();
        let alloc = kernel.get_typed_func::<i64, i64>(&mut store, "alloc").unwrap();
        let free = kernel.get_typed_func::<i64, ()>(&mut store, "free").unwrap();
        let length = kernel.get_typed_func::<i64, i64>(&mut store, "length").unwrap();
        let reset = kernel.get_typed_func::<(), ()>(&mut store, "reset").unwrap();
        Blocks::new(memory.data_mut(&mut store)).open();
        let mut own = memory.data(&store).to_vec();
        let (mut chance, mut held) = (Chance(1), Vec::new());
        for round in 0..4_000 {
            match chance.below(100) {
                0 => {
                    reset.call(&mut store, ()).unwrap();
                    Blocks::new(&mut own).reset();
                    held.clear();
                }
                1..=40 if !held.is_empty() => {
                    let at: u64 = held.swap_remove(chance.below(held.len() as u64) as usize);
                    free.call(&mut store, at as i64).unwrap();
                    Blocks::new(&mut own).free(at);
                }
                41..=45 => {
                    let at = chance.below(own.len() as u64 * 2);
                    let theirs = length.call(&mut store, at as i64).unwrap() as usize;
                    assert_eq!(
                        Blocks::new(&mut own).handle(at).map_or(0, |r| r.len()),
                        if at == 0 { 0 } else { theirs }
                    );
                }
                _ => {
                    let most = if chance.below(20) == 0 { 200_000 } else { 700 };
                    let bytes = 1 + chance.below(most);
                    let theirs = alloc.call(&mut store, bytes as i64).unwrap() as u64;
                    let placed = Blocks::new(&mut own).alloc(bytes).unwrap();
                    let ours = match placed {
                        Place::At(at) => at,
                        Place::Pages(pages) => {
                            own.resize(own.len() + (pages * PAGE) as usize, 0);
                            Blocks::new(&mut own).grown(pages, bytes).unwrap()
                        }
                    };
                    assert_eq!(ours, theirs, "round {round}");
                    assert_eq!(Blocks::new(&mut own).handle(ours).unwrap().len() as u64, bytes);
                    held.push(ours);
                }
            }
        }
        assert!(memory.data(&store) == own, "the two memories differ");
    }
}
