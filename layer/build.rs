//! Links the layer against no library at all.
//!
//! It is loaded into programs with any C library: an older glibc than the builder's, or musl. So
//! it must name no library and no symbol version; every symbol is looked for in what the program
//! has. `-lc` finds an empty linker script here instead of the real one; what a C library may
//! lack is in `src/alone.rs`.

use std::{env, fs, path::PathBuf};

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    let linux = env::var("CARGO_CFG_TARGET_OS").is_ok_and(|os| os == "linux");
    let Some(out) = env::var_os("OUT_DIR").map(PathBuf::from).filter(|_| linux) else {
        return;
    };
    let folder = out.join("no-libraries");
    let made = fs::create_dir_all(&folder)
        .and_then(|()| fs::write(folder.join("libc.so"), "/* see layer/build.rs */\n"));
    if let Err(error) = made {
        println!(
            "cargo:error=could not write below {}: {error}",
            folder.display()
        );
    }
    println!("cargo:rustc-cdylib-link-arg=-L{}", folder.display());
}
