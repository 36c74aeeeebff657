//! The table that supervised processes map: header and rules in one sealed memfd
//! (`mirrord_filter::table`).

use std::{
    io,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    sync::{Arc, atomic::Ordering},
};

use mirrord_filter::table::{Header, MAGIC, Place, REPORT_ALL, REPORT_REMOTE, VERSION};
use rustix::{
    fs::{MemfdFlags, SealFlags, fcntl_add_seals, ftruncate, memfd_create},
    mm::{MapFlags, ProtFlags, mmap},
};

/// DFAs in the rules want alignment.
const RULES_OFFSET: usize = 64;

/// Room for rules that come later. Only what is used takes memory.
const ROOM: usize = 32 << 20;

/// Our writable view; everybody else can only read.
#[derive(Clone)]
pub(crate) struct SharedTable {
    fd: Arc<OwnedFd>,
    header: &'static Header,
    /// Of the whole mapping.
    address: usize,
    len: usize,
}

impl SharedTable {
    /// Makes the table from compiled rules.
    pub fn create(rules: &[u8], report_all: bool) -> io::Result<SharedTable> {
        let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
        let fd = memfd_create("mirrord-table", flags)?;
        let len = (RULES_OFFSET + rules.len()).next_multiple_of(RULES_OFFSET) + ROOM;
        ftruncate(&fd, len as u64)?;
        rustix::io::retry_on_intr(|| rustix::io::pwrite(&fd, rules, RULES_OFFSET as u64))
            .and_then(|n| {
                if n == rules.len() {
                    Ok(())
                } else {
                    Err(rustix::io::Errno::NOSPC)
                }
            })?;
        let access = ProtFlags::READ | ProtFlags::WRITE;
        // SAFETY: a new mapping at an address of the kernel's choice replaces nothing.
        let address = unsafe { mmap(std::ptr::null_mut(), len, access, MapFlags::SHARED, &fd, 0) }?;
        let place = Place {
            offset: RULES_OFFSET as u32,
            len: rules.len() as u32,
        };
        let fresh = Header {
            magic: MAGIC,
            version: VERSION,
            flags: (if report_all { REPORT_ALL } else { 0 }).into(),
            device: 0.into(),
            // Made by the keeper, whose children the workers are.
            keeper: std::process::id().into(),
            rules: place.to_bits().into(),
        };
        let header = address.cast::<Header>();
        // SAFETY: the mapping is writable, page aligned, larger than a header, and not shared
        // with anybody yet.
        unsafe { header.write(fresh) };
        // Later mappings cannot be writable (5.1); ours stays.
        let seals = SealFlags::FUTURE_WRITE | SealFlags::GROW | SealFlags::SHRINK | SealFlags::SEAL;
        fcntl_add_seals(&fd, seals)?;
        Ok(SharedTable {
            fd: Arc::new(fd),
            // SAFETY: never unmapped; from here on only atomic fields of it are written.
            header: unsafe { &*header },
            address: address as usize,
            len,
        })
    }

    /// The compiled rules in force.
    pub fn rules(&self) -> &'static [u8] {
        self.at(Place::from_bits(self.header.rules.load(Ordering::Acquire)))
    }

    /// Puts a block behind those that are there; only one thread may do that. They are not in
    /// force yet.
    pub fn add(&self, block: &[u8]) -> io::Result<(Place, &'static [u8])> {
        let last = Place::from_bits(self.header.rules.load(Ordering::Acquire));
        let end = last.offset as usize + last.len as usize;
        let offset = end.next_multiple_of(RULES_OFFSET);
        if offset + block.len() > self.len {
            return Err(io::Error::other(
                "they were changed too often; restart the session",
            ));
        }
        // SAFETY: inside our writable mapping, behind everything that was ever named, so nobody
        // reads it yet.
        unsafe {
            let to = (self.address + offset) as *mut u8;
            std::ptr::copy_nonoverlapping(block.as_ptr(), to, block.len());
        }
        let place = Place {
            offset: offset as u32,
            len: block.len() as u32,
        };
        Ok((place, self.at(place)))
    }

    /// Names a block that was added as the one that counts.
    pub fn put_in_force(&self, place: Place) {
        self.header.rules.store(place.to_bits(), Ordering::Release);
    }

    fn at(&self, place: Place) -> &'static [u8] {
        let start = (self.address + place.offset as usize) as *const u8;
        // SAFETY: inside the mapping, which stays; places that were named are not written again.
        unsafe { std::slice::from_raw_parts(start, place.len as usize) }
    }

    /// The descriptor that the layer maps.
    pub fn fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }

    /// Tells the layer, and the workers to come, which decisions are wanted as events: those that
    /// lead to the pod, and those that stay here.
    pub fn set_report(&self, remote: bool, local: bool) {
        let wanted = [(remote, REPORT_REMOTE), (local, REPORT_ALL)];
        let flags = wanted.iter().filter(|(wanted, _)| *wanted);
        let flags = flags.fold(0, |all, (_, flag)| all | flag);
        self.header.flags.store(flags, Ordering::Relaxed);
    }

    /// What [`SharedTable::set_report`] said last.
    pub fn report(&self) -> (bool, bool) {
        let flags = self.header.flags.load(Ordering::Relaxed);
        (flags & REPORT_REMOTE != 0, flags & REPORT_ALL != 0)
    }

    /// Tells the layer which `st_dev` is the pod's.
    pub fn set_device(&self, device: u64) {
        self.header.device.store(device, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsRawFd;

    use mirrord_filter::table::Table;

    use super::*;

    #[test]
    fn the_layer_reads_what_the_supervisor_writes_and_cannot_write() {
        let table = SharedTable::create(b"some rules", true).unwrap();
        let mapped = Table::map(table.fd().as_raw_fd()).unwrap();
        let first = mapped.place();
        assert_eq!(mapped.rules(first).unwrap(), b"some rules");
        assert!(mapped.report_all());
        assert_eq!(mapped.device(), None);
        table.set_device(77);
        assert_eq!(mapped.device(), Some(77));
        let write = rustix::io::pwrite(table.fd(), b"x", 0);
        assert_eq!(write, Err(rustix::io::Errno::PERM));
        let (place, kept) = table.add(b"other rules").unwrap();
        assert_eq!(kept, b"other rules");
        assert_eq!(mapped.place(), first, "not in force yet");
        table.put_in_force(place);
        assert_eq!(mapped.rules(mapped.place()).unwrap(), b"other rules");
        assert_eq!(mapped.rules(first).unwrap(), b"some rules");
        assert_eq!(table.rules(), b"other rules");
        assert!(table.add(&vec![0; ROOM]).is_err());
    }
}
