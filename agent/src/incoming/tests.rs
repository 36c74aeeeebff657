//! Ports taken for real: a pod's network namespace with an outside attached to it, the pod's own
//! server in it, and a session at the other end of a real link.
//!
//! Each test runs again as a child process inside new namespaces, once made by root and once by
//! a user without rights (`unshare -Urn`), where BPF is refused. They need iproute2.

mod killed;
mod mirrored;
mod namespace;
mod passed_on;
mod pod;
mod session;
mod stolen;
mod together;

/// Declares a test that runs inside namespaces of a [`namespace::Kind`].
macro_rules! in_pod {
    ($(#[$meta:meta])* $name:ident, $kind:ident, $body:expr) => {
        $(#[$meta])*
        #[test]
        fn $name() {
            let name = concat!(module_path!(), "::", stringify!($name));
            crate::incoming::tests::namespace::run(
                crate::incoming::tests::namespace::Kind::$kind,
                name,
                $body,
            );
        }
    };
}
use in_pod;
