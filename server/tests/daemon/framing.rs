//! Clients that send what nobody should, or nothing at all, harm nobody.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;

use serde_json::json;

use crate::client::{Home, PATIENCE};

#[test]
fn wrong_messages_are_answered_and_the_connection_goes_on() {
    let home = Home::new();
    let mut client = home.forwarder();
    client.initialize(&home.path("work"));
    client.raw(b"Content-Length: 4\r\n\r\n{x:}");
    client.send(&json!([1, 2]));
    client.send(&json!({ "jsonrpc": "2.0", "id": 77, "method": 5 }));
    let wrong = client.answer(77);
    assert_eq!(wrong["error"]["code"], -32600);
    let error = client.fail("mirrord/nothing", json!({}));
    assert_eq!(error["code"], -32601);
    let error = client.fail("mirrord/targets/describe", json!({ "path": 5 }));
    assert_eq!(error["code"], -32602);
    assert_eq!(error["data"]["kind"], "invalidParams");
    client.ask("mirrord/targets/list", json!({}));
}

#[test]
fn who_sends_what_cannot_be_a_frame_is_cut_off_alone() {
    let home = Home::new();
    let mut other = home.forwarder();
    other.initialize(&home.path("work"));
    for garbage in [
        "GET / HTTP/1.1\r\nHost: x\r\n\r\n".to_owned(),
        "Content-Length: 1073741824\r\n\r\n{".to_owned(),
        "\0\u{1}\u{2}\n".repeat(5000),
        "{\"ask\":\"nothing\"}\n".to_owned(),
    ] {
        let mut stream = UnixStream::connect(home.socket()).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        // It may be cut off before it has said it all.
        let _ = stream.write_all(garbage.as_bytes());
        let mut heard = Vec::new();
        let end = stream.read_to_end(&mut heard);
        let reset = std::io::ErrorKind::ConnectionReset;
        assert!(
            end.is_ok() || end.unwrap_err().kind() == reset,
            "{garbage:.20}"
        );
    }
    other.ask("mirrord/targets/list", json!({}));
}

#[test]
fn half_a_message_and_silence_hold_up_nobody() {
    let home = Home::new();
    let mut other = home.forwarder();
    other.initialize(&home.path("work"));
    let mut half = UnixStream::connect(home.socket()).unwrap();
    half.write_all(b"Content-Length: 100\r\n\r\n{\"jsonrpc\"")
        .unwrap();
    let _silent = UnixStream::connect(home.socket()).unwrap();
    other.ask("mirrord/targets/list", json!({}));
    home.forwarder().initialize(&home.path("work"));
}

#[test]
fn who_never_reads_is_dropped_and_holds_up_nobody() {
    let home = Home::new();
    home.forwarder().initialize(&home.path("work"));
    let mut stream = UnixStream::connect(home.socket()).unwrap();
    stream.set_write_timeout(Some(PATIENCE)).unwrap();
    let frame = |body: &str| format!("Content-Length: {}\r\n\r\n{body}", body.len());
    let first = json!({
        "jsonrpc": "2.0", "id": 0, "method": "initialize", "params": { "capabilities": {} },
    });
    stream
        .write_all(frame(&first.to_string()).as_bytes())
        .unwrap();
    // Each is answered with its id in it.
    let long = "x".repeat(1 << 20);
    let mut dropped = false;
    for number in 1..200 {
        let id = format!("{number}{long}");
        let body = json!({ "jsonrpc": "2.0", "id": id, "method": "mirrord/nothing" });
        if stream
            .write_all(frame(&body.to_string()).as_bytes())
            .is_err()
        {
            dropped = true;
            break;
        }
    }
    assert!(
        dropped,
        "200 MiB of answers were kept for a client that does not read"
    );
    home.forwarder().initialize(&home.path("work"));
}
