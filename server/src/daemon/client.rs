//! One client as the handlers see it: what it said in `initialize`, the way back to it, its open
//! texts, and what goes on for it.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, RwLock};

use mirrord_editor_protocol::lifecycle::InitializationOptions;
use mirrord_editor_protocol::notify::NotifyParams;
use tokio::task::AbortHandle;

use super::configs::Wanted;
use super::documents::Documents;
use super::peer::Peer;
use super::state::Daemon;
use super::uri;
use crate::session::client::SessionClient;

/// Programs of a session that ends with its connection get this long to end by themselves.
const OWNED_GRACE_MS: u64 = 2_000;

/// One client.
pub struct Client {
    /// What all clients share.
    pub daemon: Arc<Daemon>,
    /// Its open texts.
    pub documents: Documents,
    /// The way to it; what it can show is known after `initialize`.
    peer: RwLock<Peer>,
    said: RwLock<Arc<Said>>,
    /// Its number among those who hear what everybody hears.
    number: Mutex<Option<u64>>,
    /// Watches and subscriptions by their ids; they end with the connection.
    ongoing: Mutex<HashMap<String, AbortHandle>>,
    /// Sessions that end with the connection.
    owned: Mutex<Vec<SessionClient>>,
    /// Messages that are told once: their kind and text.
    told: Mutex<HashSet<(String, String)>>,
    /// Sessions whose notices it hears without a subscription, for it launched them.
    launched: Mutex<HashSet<String>>,
    /// One picker at a time; the others wait for their turn.
    pub picker: tokio::sync::Mutex<()>,
}

/// What a client said about itself.
#[derive(Debug, Clone, Default)]
pub struct Said {
    /// `initializationOptions`.
    pub options: InitializationOptions,
    /// Its folders.
    pub folders: Vec<PathBuf>,
    /// It takes completions with places to fill in.
    pub snippets: bool,
    /// It asks for inlay hints again when it is told to.
    pub refreshes_hints: bool,
}

impl Client {
    /// A client that has said nothing yet.
    pub fn new(daemon: Arc<Daemon>, peer: Peer) -> Arc<Self> {
        Arc::new(Client {
            daemon,
            documents: Documents::default(),
            peer: RwLock::new(peer),
            said: RwLock::default(),
            number: Mutex::default(),
            ongoing: Mutex::default(),
            owned: Mutex::default(),
            told: Mutex::default(),
            launched: Mutex::default(),
            picker: tokio::sync::Mutex::default(),
        })
    }

    /// The way to it.
    pub fn peer(&self) -> Peer {
        self.peer
            .read()
            .unwrap_or_else(|broken| broken.into_inner())
            .clone()
    }

    /// What it said.
    pub fn said(&self) -> Arc<Said> {
        Arc::clone(
            &self
                .said
                .read()
                .unwrap_or_else(|broken| broken.into_inner()),
        )
    }

    /// A message for the user, unless the user muted its kind.
    pub fn notify(&self, notice: &NotifyParams) {
        if !self
            .daemon
            .saved
            .get(|memory| memory.muted.contains(&notice.id))
        {
            self.peer().notify(notice);
        }
    }

    /// The same, once for each text.
    pub fn notify_once(&self, notice: &NotifyParams) {
        if lock(&self.told).insert((notice.id.clone(), notice.text.clone())) {
            self.notify(notice);
        }
    }

    /// It launched this session and hears its notices, from now on or no longer.
    pub fn launches(&self, session_id: &str, hears: bool) {
        let mut launched = lock(&self.launched);
        if hears {
            launched.insert(session_id.to_owned());
        } else {
            launched.remove(session_id);
        }
    }

    /// It hears the notices of this session without a subscription.
    pub fn hears_notices(&self, session_id: &str) -> bool {
        lock(&self.launched).contains(session_id)
    }

    /// It said `initialize`.
    pub fn introduced(&self, said: Said) {
        {
            let mut peer = self
                .peer
                .write()
                .unwrap_or_else(|broken| broken.into_inner());
            peer.shows_notifications = said.options.capabilities.notifications;
            peer.shows_sessions = said.options.capabilities.sessions_view;
        }
        *self
            .said
            .write()
            .unwrap_or_else(|broken| broken.into_inner()) = Arc::new(said);
    }

    /// Changes what it said: its folders or its settings changed.
    pub fn change(&self, change: impl FnOnce(&mut Said)) {
        let mut said = self
            .said
            .write()
            .unwrap_or_else(|broken| broken.into_inner());
        change(Arc::make_mut(&mut said));
    }

    /// From now on it hears what everybody hears.
    pub fn join(self: &Arc<Self>) {
        let number = self.daemon.join(self);
        let before = lock(&self.number).replace(number);
        if let Some(before) = before {
            self.daemon.leave(before);
        }
    }

    /// Keeps something that goes on until the connection ends or it is stopped by this id. One
    /// of the same id before it ends.
    pub fn keep(&self, id: String, task: AbortHandle) {
        let mut ongoing = lock(&self.ongoing);
        // Those that ended by themselves are not kept for ever.
        ongoing.retain(|_, task| !task.is_finished());
        if let Some(before) = ongoing.insert(id, task) {
            before.abort();
        }
    }

    /// Ends it; false when there is none of this id.
    pub fn stop(&self, id: &str) -> bool {
        let task = lock(&self.ongoing).remove(id);
        task.inspect(AbortHandle::abort).is_some()
    }

    /// A session that ends with the connection.
    pub fn own(&self, session: SessionClient) {
        lock(&self.owned).push(session);
    }

    /// The connection ended.
    pub fn closed(&self) {
        for session in lock(&self.owned).drain(..) {
            tokio::spawn(async move {
                if let Err(error) = session.stop(OWNED_GRACE_MS, true).await {
                    tracing::debug!("a session was gone before its connection: {error}");
                }
            });
        }
        if let Some(number) = lock(&self.number).take() {
            self.daemon.leave(number);
        }
        for (_, task) in lock(&self.ongoing).drain() {
            task.abort();
        }
    }

    /// The file that is set active for a folder.
    pub fn active_file(&self, folder: &Path) -> Option<PathBuf> {
        let folder = uri::from_path(folder);
        let active = |memory: &super::saved::Memory| memory.active_files.get(&folder).cloned();
        uri::to_path(&self.daemon.saved.get(active)?)
    }

    /// What a launch in a folder says about its configuration. Without a folder it is the
    /// client's first one.
    pub fn wanted_config(
        &self,
        workspace: Option<&str>,
        config_uri: Option<&str>,
        env: BTreeMap<String, String>,
    ) -> Wanted {
        let folder = self.owning_folder(workspace, &[]);
        self.wanted_in(folder, config_uri, env)
    }

    /// The folder that a launch belongs to: the one that it names, the nearest around the paths
    /// `inside`, else the client's first.
    pub fn owning_folder(&self, workspace: Option<&str>, inside: &[&Path]) -> PathBuf {
        let named = workspace.and_then(uri::to_path);
        let said = self.said();
        let owner = mirrord_config::owning_folder(&said.folders, named.as_deref(), inside);
        match (owner, inside.first()) {
            (Some((folder, why)), _) => {
                tracing::debug!("{why}");
                folder.to_owned()
            }
            (None, Some(inside)) => inside.to_path_buf(),
            (None, None) => PathBuf::from("/"),
        }
    }

    /// What a launch that belongs to this folder says about its configuration.
    pub fn wanted_in(
        &self,
        folder: PathBuf,
        config_uri: Option<&str>,
        env: BTreeMap<String, String>,
    ) -> Wanted {
        Wanted {
            explicit: config_uri.and_then(uri::to_path),
            active: self.active_file(&folder),
            folder,
            env,
            target: None,
        }
    }

    /// The environment that this client's cluster access, templates and sessions see: its own,
    /// with a launch's on top (`None` unsets). Without one in `initialize` it is the little that
    /// the daemon keeps of the first forwarder's.
    pub fn environment(
        &self,
        launch: &BTreeMap<String, Option<String>>,
    ) -> BTreeMap<String, String> {
        let mut environment = match &self.said().options.environment {
            Some(environment) => environment.clone(),
            None => std::env::vars_os()
                .filter_map(|(name, value)| {
                    Some((name.into_string().ok()?, value.into_string().ok()?))
                })
                .collect(),
        };
        for (name, value) in launch {
            match value {
                Some(value) => environment.insert(name.clone(), value.clone()),
                None => environment.remove(name),
            };
        }
        environment
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(|broken| broken.into_inner())
}
