//! What kind of executable a launch starts: the facts that the launch table decides by.

use std::ffi::OsStr;
use std::fs::File;
use std::io::Read;
use std::os::unix::fs::{FileExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use object::LittleEndian;
use object::elf;
use object::read::elf::{FileHeader, ProgramHeader, SectionHeader};
use rustix::fs::OFlags;

use crate::facts::{CLibrary, ExecutableFacts, FileType};

/// Interpreters of interpreters; the kernel allows five (`BINPRM` in execve(2)).
const SCRIPT_DEPTH: usize = 5;
/// A script's first line, as long as the kernel reads it.
const FIRST_LINE: usize = 256;
/// More tables than this are no executable's.
const HEADERS: u64 = 1 << 20;

/// Facts about `name`, looked for in `path` (a `PATH`) and from `cwd` as execvp(3) does. `None`
/// when there is no such file or it cannot be read: then the debugger will say so.
pub fn facts(name: &str, path: Option<&OsStr>, cwd: &Path) -> Option<ExecutableFacts> {
    let mut file = find(name, path, cwd)?;
    let named = file.clone();
    let mut setuid = false;
    for _ in 0..SCRIPT_DEPTH {
        // Not waiting for somebody to write, if it is a pipe.
        let opened = File::options()
            .read(true)
            .custom_flags(OFlags::NONBLOCK.bits().cast_signed())
            .open(&file)
            .ok()?;
        let metadata = opened.metadata().ok()?;
        if !metadata.is_file() {
            return None;
        }
        // The bits of a script itself mean nothing to the kernel.
        setuid = metadata.permissions().mode() & 0o6000 != 0 || has_capabilities(&file);
        match interpreter(&opened) {
            Some(next) => file = next,
            None => {
                let (kind, go) = kind(&opened).unwrap_or((FileType::Other, false));
                return Some(ExecutableFacts {
                    path: named.display().to_string(),
                    file: kind,
                    go,
                    setuid,
                });
            }
        }
    }
    Some(ExecutableFacts {
        path: named.display().to_string(),
        file: FileType::Other,
        go: false,
        setuid,
    })
}

fn find(name: &str, path: Option<&OsStr>, cwd: &Path) -> Option<PathBuf> {
    if name.contains('/') {
        return Some(cwd.join(name));
    }
    std::env::split_paths(path?)
        .map(|folder| cwd.join(folder).join(name))
        .find(|file| {
            let metadata = file.metadata();
            metadata.is_ok_and(|it| it.is_file() && it.permissions().mode() & 0o111 != 0)
        })
}

fn has_capabilities(file: &Path) -> bool {
    rustix::fs::getxattr(file, c"security.capability", &mut [0; 64][..]).is_ok_and(|size| size > 0)
}

/// The program of a `#!` line.
fn interpreter(file: &File) -> Option<PathBuf> {
    let mut line = Vec::new();
    file.take(FIRST_LINE as u64).read_to_end(&mut line).ok()?;
    let line = line.strip_prefix(b"#!")?;
    let line = line.split(|byte| *byte == b'\n').next()?;
    let line = std::str::from_utf8(line).ok()?;
    line.split_whitespace().next().map(PathBuf::from)
}

/// How it is loaded, and whether it is Go's. `None`: no ELF file, or a broken one.
fn kind(file: &File) -> Option<(FileType, bool)> {
    let mut start = [0; 64];
    file.read_exact_at(&mut start, 0).ok()?;
    if start[..4] != elf::ELFMAG {
        return None;
    }
    let machine = u16::from_le_bytes([start[18], start[19]]);
    if start[4] != elf::ELFCLASS64 || start[5] != elf::ELFDATA2LSB || machine != OUR_MACHINE {
        return Some((
            FileType::OtherMachine(machine_name(start[4], machine)),
            false,
        ));
    }
    let header = elf::FileHeader64::<LittleEndian>::parse(&start[..]).ok()?;
    let go = is_go(file, header).unwrap_or(false);
    Some((loaded_by(file, header)?, go))
}

/// Who loads it. Only the headers are read: the file may have gigabytes.
fn loaded_by(file: &File, header: &elf::FileHeader64<LittleEndian>) -> Option<FileType> {
    let count = header.e_phnum(LittleEndian);
    let size = u64::from(header.e_phentsize(LittleEndian)) * u64::from(count);
    let programs = bytes(file, header.e_phoff(LittleEndian), size)?;
    let (programs, _) = object::slice_from_bytes::<elf::ProgramHeader64<LittleEndian>>(
        &programs,
        usize::from(count),
    )
    .ok()?;
    let is_loader = |header: &&elf::ProgramHeader64<LittleEndian>| {
        header.p_type(LittleEndian) == elf::PT_INTERP
    };
    let Some(loader) = programs.iter().find(is_loader) else {
        return Some(FileType::Static);
    };
    let (at, size) = (loader.p_offset(LittleEndian), loader.p_filesz(LittleEndian));
    let name = bytes(file, at, size)?;
    Some(FileType::Dynamic(
        match String::from_utf8_lossy(&name).contains("ld-musl") {
            true => CLibrary::Musl,
            false => CLibrary::Glibc,
        },
    ))
}

/// Go's linker leaves a section of this name, also in stripped programs.
fn is_go(file: &File, header: &elf::FileHeader64<LittleEndian>) -> Option<bool> {
    let count = header.e_shnum(LittleEndian);
    let size = u64::from(header.e_shentsize(LittleEndian)) * u64::from(count);
    let sections = bytes(file, header.e_shoff(LittleEndian), size)?;
    let (sections, _) = object::slice_from_bytes::<elf::SectionHeader64<LittleEndian>>(
        &sections,
        usize::from(count),
    )
    .ok()?;
    let names = sections.get(usize::from(header.e_shstrndx(LittleEndian)))?;
    let names = bytes(
        file,
        names.sh_offset(LittleEndian),
        names.sh_size(LittleEndian),
    )?;
    let name = b".go.buildinfo\0";
    Some(names.windows(name.len()).any(|part| part == name))
}

fn bytes(file: &File, offset: u64, size: u64) -> Option<Vec<u8>> {
    if size > HEADERS {
        return None;
    }
    let mut bytes = vec![0; usize::try_from(size).ok()?];
    file.read_exact_at(&mut bytes, offset).ok()?;
    Some(bytes)
}

#[cfg(target_arch = "x86_64")]
const OUR_MACHINE: u16 = elf::EM_X86_64;
#[cfg(target_arch = "aarch64")]
const OUR_MACHINE: u16 = elf::EM_AARCH64;

fn machine_name(class: u8, machine: u16) -> String {
    match (machine, class) {
        (elf::EM_X86_64, elf::ELFCLASS32) => "x32".to_owned(),
        (elf::EM_X86_64, _) => "x86_64".to_owned(),
        (elf::EM_AARCH64, _) => "aarch64".to_owned(),
        (elf::EM_386, _) => "32-bit x86".to_owned(),
        (elf::EM_ARM, _) => "32-bit ARM".to_owned(),
        (elf::EM_RISCV, _) => "RISC-V".to_owned(),
        (other, _) => format!("another processor (ELF machine {other})"),
    }
}

#[cfg(test)]
mod tests;
