//! Without a mount.

use super::*;

#[test]
fn files_are_read_and_looked_at_and_the_rest_says_why_not() {
    let mut world = make_world(false);
    assert!(matches!(
        world.open("/data/file", libc::O_RDONLY, 0),
        Answer::Fd(_)
    ));
    assert_eq!(world.content(), "content of the pod");
    let mut room = Room::new(256);
    let buffer = room.address();
    let args = [buffer, 0];
    assert_eq!(
        world.at(libc::SYS_newfstatat, "/data/file", &args),
        Answer::Number(0)
    );
    assert_eq!(room.0[48..56], 18_i64.to_ne_bytes(), "st_size");
    let args = [0, 0xfff, buffer];
    assert_eq!(
        world.at(libc::SYS_statx, "/data/file", &args),
        Answer::Number(0)
    );
    assert_eq!(room.0[40..48], 18_u64.to_ne_bytes(), "stx_size");
    world.events();
    let refused = Answer::Errno(libc::EOPNOTSUPP);
    assert_eq!(world.open("/data", libc::O_DIRECTORY, 0), refused);
    assert_eq!(world.at(libc::SYS_mkdirat, "/data/x", &[0o755]), refused);
    let told = world.events().into_iter().filter(|event| {
        matches!(event, EventKind::Notice { text, .. } if text.contains("no mount in this test"))
    });
    assert_eq!(told.count(), 2);
}
