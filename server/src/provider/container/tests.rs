use std::collections::HashMap;
use std::io::{Read, Write};
use std::os::unix::net::UnixListener;

use super::*;

fn container(name: &str, id: &str) -> Container {
    Container {
        id: id.into(),
        name: name.into(),
        image: "image".into(),
        state: "running".into(),
        ports: Vec::new(),
        pid: None,
    }
}

fn engines(variables: &[(&str, &str)]) -> Result<Vec<Engine>> {
    let variables: HashMap<_, _> = variables.iter().copied().collect();
    sockets::engines(|name| variables.get(name).map(|value| (*value).to_owned()))
}

#[test]
fn a_name_wins_over_the_beginning_of_an_id() {
    let all = || {
        vec![
            container("web", "abc1"),
            container("abc", "def2"),
            container("db", "abd3"),
        ]
    };
    let names = |name: &str| -> Vec<String> {
        matching(all(), name)
            .into_iter()
            .map(|one| one.name)
            .collect()
    };
    assert_eq!(names("abc"), ["abc"]);
    assert_eq!(names("abc1"), ["web"]);
    assert_eq!(names("ab"), ["web", "db"]);
    assert!(names("x").is_empty());
}

#[test]
fn an_engine_that_is_named_is_the_only_one() {
    let named = engines(&[("DOCKER_HOST", "unix:///no/such.sock")]).unwrap();
    assert_eq!(named[0].socket, Path::new("/no/such.sock"));
    let error = engines(&[("CONTAINER_HOST", "tcp://10.0.0.1:2375")]).unwrap_err();
    assert!(error.to_string().contains("CONTAINER_HOST"), "{error}");
}

#[test]
fn sockets_of_the_user_are_found_once() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("podman")).unwrap();
    let podman = folder.path().join("podman/podman.sock");
    let _listener = UnixListener::bind(&podman).unwrap();
    std::os::unix::fs::symlink(&podman, folder.path().join("docker.sock")).unwrap();
    let found = engines(&[("XDG_RUNTIME_DIR", folder.path().to_str().unwrap())]).unwrap();
    let ours = found
        .iter()
        .filter(|it| it.socket.starts_with(folder.path()));
    assert_eq!(ours.count(), 1);
}

/// A socket on which every connection gets `answer`, once for each of `times`.
fn answering(answer: &'static str, times: usize) -> (tempfile::TempDir, std::path::PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("socket");
    let listener = UnixListener::bind(&socket).unwrap();
    std::thread::spawn(move || {
        for connection in listener.incoming().take(times) {
            let mut connection = connection.unwrap();
            let _ = connection.read(&mut [0; 4096]).unwrap();
            connection.write_all(answer.as_bytes()).unwrap();
        }
    });
    (folder, socket)
}

#[tokio::test]
async fn what_is_not_an_engine_is_an_error_in_words() {
    for (answer, words) in [
        ("", "no answer"),
        ("hello\r\n\r\n", "no answer"),
        ("HTTP/1.1 500 No\r\nContent-Length: 4\r\n\r\noops", "oops"),
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}",
            "not the answer of an engine",
        ),
        ("HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n[", "broke"),
    ] {
        let (_folder, socket) = answering(answer, 1);
        let error = format!("{:#}", api::list(&socket).await.unwrap_err());
        assert!(error.contains(words), "{answer:?}: {error}");
    }
    let error = api::list(Path::new("/no/such.sock")).await.unwrap_err();
    assert!(format!("{error:#}").contains("no such socket"), "{error:#}");
}

#[tokio::test]
async fn a_list_is_read_whole() {
    let body = r#"[{"Id":"abc","Names":["/web"],"Image":"img","State":"running",
        "Ports":[{"PrivatePort":80,"Type":"tcp"},{"PrivatePort":80}],"Labels":{}},
        {"Id":"def","Names":null,"Image":"img","State":"exited"}]"#;
    let answer = format!(
        "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    let (_folder, socket) = answering(answer.leak(), 1);
    let all = api::list(&socket).await.unwrap();
    assert_eq!(
        (all[0].name.as_str(), &all[0].ports[..]),
        ("web", &[80][..])
    );
    assert_eq!(
        (all[1].name.as_str(), all[1].state.as_str()),
        ("def", "exited")
    );
}
