//! libc's own functions behind the interposed ones.
//!
//! Calls that may wait for long go through them: they stay cancellation points (pthreads(7)), and
//! musl's know its own layout of `struct msghdr`, which is not the kernel's. `dlsym(3)` would give
//! them, but glibc before 2.34 has it in a library that not every program loads, and the layer
//! must load everywhere. So the constructor looks into the symbol tables of what is loaded behind
//! us; where that fails the caller makes the system call itself.

use std::{
    ffi::{CStr, c_int, c_void},
    marker::PhantomData,
    ptr,
    sync::atomic::{AtomicPtr, Ordering},
};

mod symbols;

/// A function of libc's, of type `F`.
pub struct Next<F> {
    name: &'static CStr,
    address: AtomicPtr<c_void>,
    kind: PhantomData<F>,
}

impl<F: Copy> Next<F> {
    /// The one of this name, unknown until [`Next::find`].
    ///
    /// # Safety
    /// `F` is the type of that function, as a function pointer.
    pub const unsafe fn named(name: &'static CStr) -> Self {
        const { assert!(size_of::<F>() == size_of::<*mut c_void>()) };
        Next {
            name,
            address: AtomicPtr::new(ptr::null_mut()),
            kind: PhantomData,
        }
    }

    /// Looks it up.
    pub fn find(&self) {
        let mut search = Search {
            name: self.name,
            passed_us: false,
            found: ptr::null_mut(),
        };
        // SAFETY: the callback gets `search` back, which lives through the call.
        unsafe { libc::dl_iterate_phdr(Some(look), (&raw mut search).cast()) };
        self.address.store(search.found, Ordering::Relaxed);
    }

    /// The function, if there is one.
    pub fn get(&self) -> Option<F> {
        let address = self.address.load(Ordering::Relaxed);
        // SAFETY: of this type by the promise of `named`; sizes are equal.
        (!address.is_null()).then(|| unsafe { std::mem::transmute_copy(&address) })
    }
}

struct Search {
    name: &'static CStr,
    passed_us: bool,
    found: *mut c_void,
}

/// Called for each loaded object in the order in which symbols are looked up; ends the search by
/// something else than 0 (dl_iterate_phdr(3)).
unsafe extern "C" fn look(
    object: *mut libc::dl_phdr_info,
    _size: usize,
    search: *mut c_void,
) -> c_int {
    // SAFETY: given by `find`, and by the loader.
    let (search, object) = unsafe { (&mut *search.cast::<Search>(), &*object) };
    if !search.passed_us {
        search.passed_us = symbols::contains(object, look as *const () as u64);
        return 0;
    }
    // SAFETY: the object is loaded, and stays: libc is never unloaded.
    let Some(address) = (unsafe { symbols::function(object, search.name) }) else {
        return 0;
    };
    search.found = address as *mut c_void;
    1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_function_is_found_and_a_missing_one_is_not() {
        // SAFETY: the types of getpid(2), and of nothing.
        let (known, unknown) = unsafe {
            (
                Next::<unsafe extern "C" fn() -> i32>::named(c"getpid"),
                Next::<unsafe extern "C" fn()>::named(c"mirrord_no_such_function"),
            )
        };
        assert!(known.get().is_none());
        known.find();
        unknown.find();
        // SAFETY: takes nothing, changes nothing.
        let pid = unsafe { known.get().expect("found")() };
        assert_eq!(pid as u32, std::process::id());
        assert!(unknown.get().is_none());
    }
}
