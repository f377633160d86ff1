//! Folder listings. The guest may ask for any place in one; a listing that goes on where it ended costs no more than
//! its entries, any other starts again.

use super::fds::borrowed;
use super::stat::file_type;
use super::types::{Errno, Filetype, Size};
use super::{Answer, p1, types};
use crate::files::Entries;
use crate::link::files_view;
use crate::store::State;
use std::collections::VecDeque;
use wasmtime_wasi::p2::bindings::filesystem::types::HostDescriptor as _;
use wiggle::{GuestMemory, GuestPtr};

/// Bytes of an entry without its name.
const HEAD_BYTES: usize = 24;

struct Item {
    name: String,
    kind: Filetype,
}

/// An open folder's content from a place on.
pub struct Listing {
    entries: Entries,
    /// The cookie of what `held` begins with, or of what is read next.
    at: u64,
    /// Read and not yet given whole: one entry at most between two calls.
    held: VecDeque<Item>,
}

impl Listing {
    fn new(entries: Entries) -> Listing {
        let dots = [".", ".."].map(|name| Item { name: name.into(), kind: Filetype::Directory });
        Listing { entries, at: 0, held: dots.into() }
    }

    /// Whether there is an entry to take at `held[index]`.
    async fn reach(&mut self, index: usize) -> Answer<bool> {
        while self.held.len() <= index {
            match self.entries.next_or_read().await {
                None => return Ok(false),
                Some(entry) => {
                    let entry = entry.map_err(Errno::from)?;
                    self.held.push_back(Item { name: entry.name, kind: file_type(entry.type_) });
                }
            }
        }
        Ok(true)
    }

    fn drop_front(&mut self) {
        self.held.pop_front();
        self.at += 1;
    }
}

fn head(next: u64, inode: u64, item: &Item) -> Answer<[u8; HEAD_BYTES]> {
    let mut head = [0; HEAD_BYTES];
    head[..8].copy_from_slice(&next.to_le_bytes());
    head[8..16].copy_from_slice(&inode.to_le_bytes());
    head[16..20].copy_from_slice(&u32::try_from(item.name.len())?.to_le_bytes());
    head[20] = item.kind as u8;
    Ok(head)
}

/// The listing to go on with, out of its folder while it is read.
async fn listing(state: &mut State, fd: types::Fd, cookie: u64) -> Answer<Listing> {
    let folder = p1(state).fds.folder(fd)?;
    let descriptor = borrowed(&folder.descriptor);
    let mut listing = match folder.listing.take() {
        Some(listing) if listing.at <= cookie => listing,
        _ => Listing::new(files_view(state).listing(&descriptor).await?),
    };
    while listing.at < cookie && listing.reach(0).await? {
        listing.drop_front();
    }
    Ok(listing)
}

pub async fn read(
    state: &mut State,
    memory: &mut GuestMemory<'_>,
    fd: types::Fd,
    buffer: GuestPtr<u8>,
    size: Size,
    cookie: u64,
) -> Answer<Size> {
    // Less than was asked for would mean the folder's end.
    p1(state).fuel(size as usize)?;
    let size = size as usize;
    let mut listing = listing(state, fd, cookie).await?;
    let descriptor = borrowed(&p1(state).fds.folder(fd)?.descriptor);
    let (mut count, mut bytes) = (0, 0);
    let past_the_end = listing.at < cookie;
    while !past_the_end && bytes < size && listing.reach(count).await? {
        bytes += HEAD_BYTES + listing.held[count].name.len();
        count += 1;
    }
    let names = listing.held.iter().take(count).map(|item| item.name.clone()).collect();
    let inodes = files_view(state).identities(&descriptor, names).await?;
    let own = files_view(state).metadata_hash(descriptor).await?.lower;
    let mut out = Vec::with_capacity(bytes);
    for inode in inodes {
        let Some(item) = listing.held.front() else { break };
        let dots = matches!(item.name.as_str(), "." | "..");
        out.extend_from_slice(&head(listing.at + 1, if dots { own } else { inode }, item)?);
        out.extend_from_slice(item.name.as_bytes());
        if out.len() > size {
            break;
        }
        listing.drop_front();
    }
    out.truncate(size);
    p1(state).fds.folder(fd)?.listing = Some(listing);
    memory.copy_from_slice(&out, buffer.as_array(Size::try_from(out.len())?))?;
    Ok(Size::try_from(out.len())?)
}
