//! What the end-to-end tests share: the built product, a sandbox pod for each test program, the
//! probe programs in many languages, and the comparison of what they print inside the pod and
//! through us. The tests know the product only by its command line.

pub mod between;
pub mod data;
pub mod differences;
pub mod editor;
pub mod left;
pub mod pod;
pub mod podman;
pub mod product;
pub mod programs;
pub mod run;
