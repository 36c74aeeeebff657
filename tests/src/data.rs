//! The files of a pod's `/data`, found from outside so that no program's listing is trusted.

use std::fs;
use std::path::{Path, PathBuf};

/// Their names inside of the pod, down to two folders, of the folder that is the pod's `/data`.
pub fn names(data: &Path) -> Vec<String> {
    let mut paths = Vec::new();
    for path in entries(data) {
        // A hundred alike are seen by their folder's listing.
        if fs::symlink_metadata(&path).is_ok_and(|it| it.is_dir()) && !path.ends_with("many") {
            paths.extend(entries(&path));
        }
        paths.push(path);
    }
    let mut names: Vec<String> = paths
        .iter()
        .map(|path| path.strip_prefix(data).expect("it is below"))
        .map(|path| format!("/data/{}", path.to_string_lossy()))
        .collect();
    names.sort();
    assert!(names.len() > 20, "a pod has files to look at: {names:?}");
    names
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).expect("the pod has /data").flatten();
    entries.map(|entry| entry.path()).collect()
}
