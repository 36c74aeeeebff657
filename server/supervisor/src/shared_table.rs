//! The table that supervised processes map: header and rules in one sealed memfd
//! (`mirrord_filter::table`).

use std::{
    io,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    sync::{Arc, atomic::Ordering},
};

use mirrord_filter::table::{Header, MAGIC, REPORT_ALL, REPORT_REMOTE, VERSION};
use rustix::{
    fs::{MemfdFlags, SealFlags, fcntl_add_seals, ftruncate, memfd_create},
    mm::{MapFlags, ProtFlags, mmap},
};

/// DFAs in the rules want alignment.
const RULES_OFFSET: usize = 64;

/// Our writable view; everybody else can only read.
#[derive(Clone)]
pub(crate) struct SharedTable {
    fd: Arc<OwnedFd>,
    header: &'static Header,
    rules: &'static [u8],
}

impl SharedTable {
    /// Makes the table from compiled rules.
    pub fn create(rules: &[u8], report_all: bool) -> io::Result<SharedTable> {
        let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
        let fd = memfd_create("mirrord-table", flags)?;
        let len = RULES_OFFSET + rules.len();
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
        let fresh = Header {
            magic: MAGIC,
            version: VERSION,
            flags: (if report_all { REPORT_ALL } else { 0 }).into(),
            device: 0.into(),
            // Made by the keeper, whose children the workers are.
            keeper: std::process::id().into(),
            rules_offset: RULES_OFFSET as u32,
            rules_len: rules.len() as u32,
        };
        let header = address.cast::<Header>();
        // SAFETY: the mapping is writable, page aligned, larger than a header, and not shared
        // with anybody yet.
        unsafe { header.write(fresh) };
        // Later mappings cannot be writable (5.1); ours stays.
        let seals = SealFlags::FUTURE_WRITE | SealFlags::GROW | SealFlags::SHRINK | SealFlags::SEAL;
        fcntl_add_seals(&fd, seals)?;
        // SAFETY: never unmapped; from here on only atomic fields are written, and the rules by
        // nobody.
        let (header, rules) = unsafe {
            let rules = address.cast::<u8>().add(RULES_OFFSET);
            (
                &*header,
                std::slice::from_raw_parts(rules, len - RULES_OFFSET),
            )
        };
        Ok(SharedTable {
            fd: Arc::new(fd),
            header,
            rules,
        })
    }

    /// The compiled rules.
    pub fn rules(&self) -> &'static [u8] {
        self.rules
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
        assert_eq!(mapped.rules(), b"some rules");
        assert!(mapped.report_all());
        assert_eq!(mapped.device(), None);
        table.set_device(77);
        assert_eq!(mapped.device(), Some(77));
        let write = rustix::io::pwrite(table.fd(), b"x", 0);
        assert_eq!(write, Err(rustix::io::Errno::PERM));
    }
}
