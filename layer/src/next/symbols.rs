//! A loaded object's symbols (elf(5)), found by the GNU hash table that every C library has.

use std::{ffi::CStr, slice};

use libc::{Elf64_Phdr, Elf64_Sym, PT_DYNAMIC, PT_LOAD, dl_phdr_info};

const DT_STRTAB: u64 = 5;
const DT_SYMTAB: u64 = 6;
const DT_GNU_HASH: u64 = 0x6fff_fef5;
const DT_VERSYM: u64 = 0x6fff_fff0;
/// Of a symbol's version: programs that are linked now do not get it.
const HIDDEN: u16 = 0x8000;
const STT_FUNC: u8 = 2;

/// Whether an address lies in what was loaded from this object.
pub fn contains(object: &dl_phdr_info, address: u64) -> bool {
    headers(object).iter().any(|header| {
        let start = object.dlpi_addr.wrapping_add(header.p_vaddr);
        header.p_type == PT_LOAD && address.wrapping_sub(start) < header.p_memsz
    })
}

/// The address of a function that the object defines.
///
/// # Safety
/// The object is loaded.
pub unsafe fn function(object: &dl_phdr_info, name: &CStr) -> Option<u64> {
    // SAFETY: the caller's promise.
    let tables = unsafe { Tables::of(object) }?;
    // SAFETY: the loader itself looks symbols up in these tables.
    let symbol = unsafe { tables.find(name) }?;
    let defined = symbol.st_shndx != 0 && symbol.st_info & 0xf == STT_FUNC;
    defined.then(|| object.dlpi_addr.wrapping_add(symbol.st_value))
}

fn headers(object: &dl_phdr_info) -> &[Elf64_Phdr] {
    if object.dlpi_phdr.is_null() {
        return &[];
    }
    // SAFETY: the loader's own list.
    unsafe { slice::from_raw_parts(object.dlpi_phdr, object.dlpi_phnum.into()) }
}

/// Addresses of an object's tables.
struct Tables {
    symbols: *const Elf64_Sym,
    strings: *const u8,
    hash: *const u32,
    /// Null where symbols have no versions.
    versions: *const u16,
}

impl Tables {
    /// # Safety
    /// The object is loaded.
    unsafe fn of(object: &dl_phdr_info) -> Option<Tables> {
        let base = object.dlpi_addr;
        let dynamic = headers(object)
            .iter()
            .find(|one| one.p_type == PT_DYNAMIC)?;
        let mut entry = base.wrapping_add(dynamic.p_vaddr) as *const [u64; 2];
        let (mut symbols, mut strings, mut hash, mut versions) = (0, 0, 0, 0);
        loop {
            // SAFETY: the list ends with a zero tag.
            let [tag, value] = unsafe { entry.read() };
            // glibc has added the base to the addresses already, musl and the vDSO have not.
            let address = if value < base { base + value } else { value };
            match tag {
                0 => break,
                DT_STRTAB => strings = address,
                DT_SYMTAB => symbols = address,
                DT_GNU_HASH => hash = address,
                DT_VERSYM => versions = address,
                _ => {}
            }
            // SAFETY: not the last one.
            entry = unsafe { entry.add(1) };
        }
        (symbols != 0 && strings != 0 && hash != 0).then_some(Tables {
            symbols: symbols as *const _,
            strings: strings as *const _,
            hash: hash as *const _,
            versions: versions as *const _,
        })
    }

    /// # Safety
    /// The tables are those of a loaded object.
    unsafe fn find(&self, name: &CStr) -> Option<Elf64_Sym> {
        let wanted = hash(name.to_bytes());
        // SAFETY: the table's layout: four words, the filter's 64-bit words, a word for each
        // bucket, and one for each symbol from the first hashed one on, the last of a bucket odd.
        unsafe {
            let [buckets, first, filter] = [0, 1, 2].map(|i| *self.hash.add(i) as usize);
            if buckets == 0 {
                return None;
            }
            let bucket = self.hash.add(4 + 2 * filter);
            let chain = bucket.add(buckets);
            let mut index = *bucket.add(wanted as usize % buckets) as usize;
            if index < first {
                return None;
            }
            loop {
                let hashed = *chain.add(index - first);
                if hashed | 1 == wanted | 1 {
                    let symbol = *self.symbols.add(index);
                    let its = self.strings.add(symbol.st_name as usize);
                    let old = !self.versions.is_null() && *self.versions.add(index) & HIDDEN != 0;
                    if !old && CStr::from_ptr(its.cast()) == name {
                        return Some(symbol);
                    }
                }
                if hashed & 1 == 1 {
                    return None;
                }
                index += 1;
            }
        }
    }
}

fn hash(name: &[u8]) -> u32 {
    name.iter().fold(5381, |hash: u32, byte| {
        hash.wrapping_mul(33).wrapping_add((*byte).into())
    })
}
