//! The server on real loopback connections.

use std::io::Read;

use super::*;

fn converse_with(question: &[u8]) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    serve(listener, "test", |request| {
        Response::text(format!(
            "{} {} {}",
            request.method,
            request.target,
            request.body.len()
        ))
    })
    .unwrap();
    let mut stream = TcpStream::connect(address).unwrap();
    stream.write_all(question).unwrap();
    stream.shutdown(Shutdown::Write).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

fn bodies(answer: &str) -> Vec<&str> {
    let parts = answer.split("\r\n\r\n").skip(1);
    parts
        .map(|part| part.split("HTTP/1.1").next().unwrap_or_default())
        .collect()
}

#[test]
fn requests_on_one_connection_are_answered_in_order() {
    let answer = converse_with(
        b"GET /a HTTP/1.1\r\n\r\nPOST /b HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n\
          PUT /c HTTP/1.1\r\nContent-Length: 2\r\nConnection: close\r\n\r\nxy",
    );
    assert_eq!(bodies(&answer), ["GET /a 0", "POST /b 3", "PUT /c 2"]);
}

#[test]
fn head_has_a_length_and_no_body() {
    let answer = converse_with(b"HEAD /abc HTTP/1.1\r\nConnection: close\r\n\r\n");
    assert!(answer.contains("Content-Length: 11\r\n"), "{answer}");
    assert_eq!(bodies(&answer), [""]);
}

#[test]
fn an_old_client_is_closed_after_its_answer() {
    assert_eq!(
        bodies(&converse_with(b"GET /1 HTTP/1.0\r\n\r\n")),
        ["GET /1 0"]
    );
}

#[test]
fn nonsense_is_told_apart() {
    let answer = converse_with(b"\x16\x03\x01 this is TLS\r\n\r\n");
    assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
}

#[test]
fn a_client_that_waits_for_the_word_to_send_gets_it() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    serve(listener, "test", |request| {
        Response::text(request.body.clone())
    })
    .unwrap();
    let mut stream = TcpStream::connect(address).unwrap();
    stream
        .write_all(b"POST / HTTP/1.1\r\nExpect: 100-continue\r\nConnection: close\r\nContent-Length: 2\r\n\r\n")
        .unwrap();
    let mut word = [0; 25];
    stream.read_exact(&mut word).unwrap();
    assert_eq!(&word, b"HTTP/1.1 100 Continue\r\n\r\n");
    stream.write_all(b"ok").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.ends_with("\r\n\r\nok"), "{answer}");
}
