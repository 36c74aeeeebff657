//! `mirrord/config/setActive`.

use mirrord_editor_protocol::config::ActiveFile;
use mirrord_editor_protocol::{Empty, ErrorKind, methods};

use super::{Outcome, apart};
use crate::daemon::client::Client;
use crate::daemon::failure::Failure;
use crate::daemon::uri;

/// Remembers the workspace's active file and tells every client.
pub async fn set(client: &Client, params: ActiveFile) -> Outcome<Empty> {
    let workspace = uri::normal(&params.workspace);
    let file = params.uri.as_deref().map(uri::normal);
    if let Some(file) = &file
        && !uri::to_path(file).is_some_and(|path| path.is_file())
    {
        return Err(Failure::new(
            ErrorKind::NotFound,
            format!("{file} cannot be made the active configuration: there is no such file"),
        )
        .help("save it first, or choose one of `mirrord/config/list`"));
    }
    let daemon = client.daemon.clone();
    let active = ActiveFile {
        workspace: workspace.clone(),
        uri: file.clone(),
    };
    apart(move || {
        daemon.saved.change(|memory| match file {
            Some(file) => {
                memory.active_files.insert(workspace, file);
            }
            None => {
                memory.active_files.remove(&workspace);
            }
        })
    })
    .await?;
    client
        .daemon
        .tell_all(|peer| peer.tell::<methods::ConfigActiveChanged>(&active));
    Ok(Empty {})
}
