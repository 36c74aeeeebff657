//! Which file a run uses, and which of several folders it belongs to.

use std::path::{Path, PathBuf};

use mirrord_config::{Source, Wanted, choose, owning_folder};

#[test]
fn the_file_is_chosen_in_one_order() {
    let folder = tempfile::tempdir().unwrap();
    let inside = folder.path().join(".mirrord");
    std::fs::create_dir(&inside).unwrap();
    let nothing = choose(&Wanted {
        folder: Some(folder.path()),
        ..Wanted::default()
    });
    assert_eq!(nothing.unwrap().source, Source::Nothing);
    for name in ["b.mirrord.yaml", "a.mirrord.json", "other.json"] {
        std::fs::write(inside.join(name), "{}").unwrap();
    }
    // Each row takes away what the row before was chosen by.
    let mut wanted = Wanted {
        explicit: Some(Path::new("/named.json")),
        active: Some(Path::new("/active.json")),
        launch: Some("${workspaceFolder}/launch.json"),
        environment: Some("environment.json"),
        folder: Some(folder.path()),
    };
    let chosen = |wanted: &Wanted<'_>| {
        let choice = choose(wanted).unwrap();
        assert!(
            choice
                .why
                .contains(&choice.path.clone().unwrap().display().to_string())
        );
        (choice.source, choice.source.name(), choice.path.unwrap())
    };
    let row = (Source::Explicit, "explicit", "/named.json".into());
    assert_eq!(chosen(&wanted), row);
    wanted.explicit = None;
    assert_eq!(
        chosen(&wanted),
        (Source::Active, "active", "/active.json".into())
    );
    wanted.active = None;
    let launch = folder.path().join("launch.json");
    assert_eq!(chosen(&wanted), (Source::Launch, "environment", launch));
    wanted.launch = Some("");
    let environment = folder.path().join("environment.json");
    assert_eq!(
        chosen(&wanted),
        (Source::Environment, "environment", environment)
    );
    wanted.environment = None;
    let first = inside.join("a.mirrord.json");
    assert_eq!(chosen(&wanted), (Source::Found, "default", first));
    let found = choose(&wanted).unwrap();
    assert_eq!(found.others, [inside.join("b.mirrord.yaml")]);
    assert_eq!(found.warnings.len(), 1);
}

#[test]
fn of_several_folders_the_nearest_around_the_launch_owns_it() {
    let folders: Vec<PathBuf> = ["/w/shop", "/w/shop/orders", "/w/web"]
        .map(PathBuf::from)
        .into();
    let owner = |launch: Option<&str>, inside: &[&str]| {
        let inside: Vec<&Path> = inside.iter().map(Path::new).collect();
        let (folder, why) = owning_folder(&folders, launch.map(Path::new), &inside).unwrap();
        assert!(why.contains(&folder.display().to_string()), "{why}");
        folder.display().to_string()
    };
    for (launch, inside, folder) in [
        (Some("/elsewhere"), &["/w/web"][..], "/elsewhere"),
        (None, &["/w/web/src", "/w/shop/main.py"], "/w/web"),
        (None, &["/w/shop/orders/src"], "/w/shop/orders"),
        (None, &["/w/shop/other"], "/w/shop"),
        (None, &["/tmp", "/w/web/main.py"], "/w/web"),
        // Only whole names count.
        (None, &["/w/webs"], "/w/shop"),
        (None, &[], "/w/shop"),
    ] {
        assert_eq!(owner(launch, inside), folder, "{launch:?} {inside:?}");
    }
    assert_eq!(owning_folder(&[], None, &[Path::new("/w")]), None);
    let only = owning_folder(&folders[2..], None, &[Path::new("/tmp")]).unwrap();
    assert_eq!(only.0, folders[2]);
}
