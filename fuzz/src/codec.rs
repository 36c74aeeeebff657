//! Every message of the wire, decoded from any bytes: an error, or a message that comes out the
//! same when it is sent on. What controls a session is JSON, everything else is `postcard`.

use std::fmt::Debug;

use mirrord_protocol::{codec, control, files, hello, local, session_control, streams};
use serde::{Serialize, de::DeserializeOwned};

/// Tries the bytes as each message.
pub fn run(bytes: &[u8]) {
    again::<hello::SessionHello>(bytes);
    again::<hello::AgentHello>(bytes);
    again::<control::ToAgent>(bytes);
    again::<control::FromAgent>(bytes);
    again::<files::Call>(bytes);
    again::<files::Reply>(bytes);
    again::<streams::StreamHeader>(bytes);
    again::<streams::StreamReply>(bytes);
    again::<local::ToSupervisor>(bytes);
    again::<local::FromSupervisor>(bytes);
    json_again::<session_control::ToSession>(bytes);
    json_again::<session_control::FromSession>(bytes);
    json_again::<session_control::SessionOptions>(bytes);
    json_again::<session_control::StartNews>(bytes);
}

fn again<T: Serialize + DeserializeOwned + Debug + PartialEq>(bytes: &[u8]) {
    if let Ok(message) = codec::decode::<T>(bytes) {
        let sent = codec::encode(&message).expect("what was decoded can be encoded");
        let received = codec::decode::<T>(&sent).expect("what was encoded can be decoded");
        assert_eq!(received, message);
    }
}

fn json_again<T: Serialize + DeserializeOwned + Debug + PartialEq>(bytes: &[u8]) {
    if let Ok(message) = serde_json::from_slice::<T>(bytes) {
        let sent = serde_json::to_vec(&message).expect("what was read can be written");
        let received = serde_json::from_slice::<T>(&sent).expect("what was written can be read");
        assert_eq!(received, message);
    }
}
