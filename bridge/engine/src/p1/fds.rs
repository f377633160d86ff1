//! The numbers that a guest knows, and what each stands for.

use super::folders::Listing;
use super::types::Errno;
use super::{Answer, types};
use wasmtime::component::Resource;
use wasmtime_wasi::filesystem::Descriptor;

pub struct File {
    pub descriptor: Resource<Descriptor>,
    pub position: u64,
    /// Of the flags, those that live here: the rest is the kernel's.
    pub append: bool,
    pub nonblock: bool,
}

pub struct Folder {
    pub descriptor: Resource<Descriptor>,
    /// The name of a mount; nothing for a folder that was opened.
    pub preopen: Option<String>,
    pub listing: Option<Listing>,
}

pub enum Fd {
    Stdin,
    Stdout,
    Stderr,
    File(File),
    Folder(Box<Folder>),
}

impl Fd {
    pub fn folder(descriptor: Resource<Descriptor>, preopen: Option<String>) -> Fd {
        Fd::Folder(Box::new(Folder { descriptor, preopen, listing: None }))
    }
}

/// Open descriptors by number; the lowest free number is given next, as POSIX has it.
pub struct Fds {
    slots: Vec<Option<Fd>>,
    max: usize,
}

/// Another handle of the same thing, for one operation.
pub fn borrowed(descriptor: &Resource<Descriptor>) -> Resource<Descriptor> {
    Resource::new_borrow(descriptor.rep())
}

impl Fds {
    pub fn new(max: usize) -> Fds {
        Fds { slots: Vec::new(), max }
    }

    /// Takes the next number, for something or for nothing.
    pub fn reserve(&mut self, fd: Option<Fd>) -> Answer<()> {
        self.room()?;
        self.slots.push(fd);
        Ok(())
    }

    /// Whether another descriptor fits.
    pub fn room(&self) -> Answer<()> {
        let open = self.slots.iter().flatten().count();
        if open < self.max { Ok(()) } else { Err(Errno::Mfile.into()) }
    }

    pub fn push(&mut self, fd: Fd) -> Answer<u32> {
        self.room()?;
        let free = self.slots.iter().position(Option::is_none).unwrap_or(self.slots.len());
        if free == self.slots.len() {
            self.slots.push(None);
        }
        self.slots[free] = Some(fd);
        Ok(u32::try_from(free)?)
    }

    pub fn get(&mut self, fd: types::Fd) -> Answer<&mut Fd> {
        let slot = self.slots.get_mut(u32::from(fd) as usize);
        Ok(slot.and_then(Option::as_mut).ok_or(Errno::Badf)?)
    }

    pub fn take(&mut self, fd: types::Fd) -> Answer<Fd> {
        let slot = self.slots.get_mut(u32::from(fd) as usize);
        Ok(slot.and_then(Option::take).ok_or(Errno::Badf)?)
    }

    /// Moves one number to another. Gives what that stood for. Both must be open.
    pub fn renumber(&mut self, from: types::Fd, to: types::Fd) -> Answer<Option<Fd>> {
        self.get(to)?;
        self.get(from)?;
        if u32::from(from) == u32::from(to) {
            return Ok(None);
        }
        let moved = self.take(from)?;
        Ok(Some(std::mem::replace(self.get(to)?, moved)))
    }

    pub fn file(&mut self, fd: types::Fd) -> Answer<&mut File> {
        match self.get(fd)? {
            Fd::File(file) => Ok(file),
            _ => Err(Errno::Badf.into()),
        }
    }

    pub fn seekable(&mut self, fd: types::Fd) -> Answer<&mut File> {
        match self.get(fd)? {
            Fd::File(file) => Ok(file),
            Fd::Folder(_) => Err(Errno::Badf.into()),
            _ => Err(Errno::Spipe.into()),
        }
    }

    pub fn folder(&mut self, fd: types::Fd) -> Answer<&mut Folder> {
        match self.get(fd)? {
            Fd::Folder(folder) => Ok(folder),
            _ => Err(Errno::Badf.into()),
        }
    }

    /// What a path starts from.
    pub fn start(&mut self, fd: types::Fd) -> Answer<Resource<Descriptor>> {
        match self.get(fd)? {
            Fd::Folder(folder) => Ok(borrowed(&folder.descriptor)),
            Fd::File(_) => Err(Errno::Notdir.into()),
            _ => Err(Errno::Badf.into()),
        }
    }

    /// A file or folder.
    pub fn descriptor(&mut self, fd: types::Fd) -> Answer<Resource<Descriptor>> {
        match self.get(fd)? {
            Fd::File(file) => Ok(borrowed(&file.descriptor)),
            Fd::Folder(folder) => Ok(borrowed(&folder.descriptor)),
            _ => Err(Errno::Badf.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn errno<T>(answer: Answer<T>) -> Errno {
        answer.err().map(|e| e.downcast().expect("an errno")).unwrap_or(Errno::Success)
    }

    fn streams(max: usize) -> Fds {
        let mut fds = Fds::new(max);
        for fd in [Fd::Stdin, Fd::Stdout, Fd::Stderr] {
            fds.push(fd).unwrap();
        }
        fds
    }

    #[test]
    fn the_lowest_free_number_is_next() {
        let mut fds = streams(8);
        fds.take(1.into()).unwrap();
        assert_eq!(fds.push(Fd::Stdout).unwrap(), 1);
        assert_eq!(fds.push(Fd::Stderr).unwrap(), 3);
    }

    #[test]
    fn numbers_that_are_not_open() {
        let mut fds = streams(8);
        fds.take(2.into()).unwrap();
        for number in [2, 3, 1 << 31, u32::MAX] {
            assert_eq!(errno(fds.get(number.into())), Errno::Badf);
            assert_eq!(errno(fds.take(number.into())), Errno::Badf);
            assert_eq!(errno(fds.renumber(0.into(), number.into())), Errno::Badf);
            assert_eq!(errno(fds.renumber(number.into(), 0.into())), Errno::Badf);
        }
        assert!(matches!(fds.get(0.into()), Ok(Fd::Stdin)));
    }

    #[test]
    fn a_full_table_is_an_errno_and_frees_again() {
        let mut fds = streams(3);
        assert_eq!(errno(fds.push(Fd::Stdin)), Errno::Mfile);
        fds.take(0.into()).unwrap();
        assert!(fds.push(Fd::Stdin).is_ok());
    }

    #[test]
    fn renumbering_moves_and_gives_what_was_there() {
        let mut fds = streams(8);
        assert!(matches!(fds.renumber(2.into(), 0.into()), Ok(Some(Fd::Stdin))));
        assert!(matches!(fds.get(0.into()), Ok(Fd::Stderr)));
        assert_eq!(errno(fds.get(2.into())), Errno::Badf);
        assert!(matches!(fds.renumber(0.into(), 0.into()), Ok(None)));
        assert!(matches!(fds.get(0.into()), Ok(Fd::Stderr)));
    }
}
