//! What kind of program we are in, by its file (elf(5)).
//!
//! Some programs take their environment from where the kernel put it and not from the C library:
//! Go's runtime reads the stack, and so does musl for `main`'s third argument. What we give to the
//! C library does not reach them.

/// Whether the program reads the environment that the kernel left on its stack.
pub fn reads_its_stack(file: &[u8]) -> bool {
    let Some(elf) = Elf::new(file) else {
        return false;
    };
    elf.sections()
        .any(|name| name.starts_with(b".go.buildinfo\0") || name.starts_with(b".note.go.buildid\0"))
        || elf.segments().any(|(kind, content)| match kind {
            libc::PT_NOTE => content.windows(GO_NOTE.len()).any(|part| part == GO_NOTE),
            libc::PT_INTERP => content.windows(MUSL.len()).any(|part| part == MUSL),
            _ => false,
        })
}

/// Type 4 (build id) and the name of Go's note.
const GO_NOTE: &[u8] = b"\x04\0\0\0Go\0\0";
const MUSL: &[u8] = b"/ld-musl-";

/// Far more than any program has; a header may say anything.
const MOST: u16 = 1024;

/// A 64-bit file of our own byte order. All that is read is checked against its length.
struct Elf<'a>(&'a [u8]);

impl<'a> Elf<'a> {
    fn new(file: &'a [u8]) -> Option<Self> {
        (file.get(..5)? == b"\x7fELF\x02").then_some(Elf(file))
    }

    /// Kind and content of each segment.
    fn segments(&self) -> impl Iterator<Item = (u32, &'a [u8])> {
        let (table, size) = (self.u64(0x20), self.u16(0x36));
        let count = self.u16(0x38).unwrap_or(0).min(MOST);
        (0..u64::from(count)).filter_map(move |at| {
            let header = table?.checked_add(at * u64::from(size?))?;
            let kind = self.u32(header)?;
            let start = self.u64(header.checked_add(0x08)?)?;
            let len = self.u64(header.checked_add(0x20)?)?;
            Some((kind, self.part(start, len)?))
        })
    }

    /// Each section's name, with what follows it.
    fn sections(&self) -> impl Iterator<Item = &'a [u8]> {
        let (table, size) = (self.u64(0x28), self.u16(0x3a));
        let count = self.u16(0x3c).unwrap_or(0).min(MOST);
        let header = move |at: u16| table?.checked_add(u64::from(at) * u64::from(size?));
        let names = self.u16(0x3e).and_then(header);
        let names = names.and_then(|names| {
            let start = self.u64(names.checked_add(0x18)?)?;
            let len = self.u64(names.checked_add(0x20)?)?;
            self.part(start, len)
        });
        (0..count).filter_map(move |at| names?.get(self.u32(header(at)?)? as usize..))
    }

    fn part(&self, start: u64, len: u64) -> Option<&'a [u8]> {
        let start = usize::try_from(start).ok()?;
        let end = start.checked_add(usize::try_from(len).ok()?)?;
        self.0.get(start..end)
    }

    fn u16(&self, at: u64) -> Option<u16> {
        Some(u16::from_ne_bytes(self.part(at, 2)?.try_into().ok()?))
    }

    fn u32(&self, at: u64) -> Option<u32> {
        Some(u32::from_ne_bytes(self.part(at, 4)?.try_into().ok()?))
    }

    fn u64(&self, at: u64) -> Option<u64> {
        Some(u64::from_ne_bytes(self.part(at, 8)?.try_into().ok()?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_program_is_neither_go_nor_musl_wherever_it_is_cut() {
        let file = std::fs::read("/proc/self/exe").unwrap();
        assert!(Elf::new(&file).unwrap().sections().count() > 10);
        assert!(Elf::new(&file).unwrap().segments().count() > 5);
        for len in (0..file.len().min(1 << 16)).step_by(97) {
            assert!(!reads_its_stack(&file[..len]));
        }
        assert!(!reads_its_stack(&file));
    }

    #[test]
    fn headers_that_lie_do_no_harm() {
        let mut file = vec![0xff; 4096];
        file[..5].copy_from_slice(b"\x7fELF\x02");
        assert!(!reads_its_stack(&file));
    }

    #[test]
    fn a_musl_interpreter_is_seen() {
        let mut file = vec![0; 256];
        file[..5].copy_from_slice(b"\x7fELF\x02");
        file[0x20] = 0x40;
        file[0x36] = 0x38;
        file[0x38] = 1;
        file[0x40] = libc::PT_INTERP as u8;
        file[0x48] = 0x80;
        file[0x60] = 26;
        file[0x80..0x9a].copy_from_slice(b"/lib/ld-musl-x86_64.so.1\0\0");
        assert!(reads_its_stack(&file));
        file[0x88] = b'x';
        assert!(!reads_its_stack(&file));
    }
}
