//! Resolves a whole path as the pod's kernel would for the target, and notes every look-up on
//! the way, so that one round trip fills all caches that the kernel's own walk will ask.
//!
//! Each step opens one name in an open directory and follows nothing, so the walk cannot leave
//! the pod's root; links are followed by their text, as `openat2(RESOLVE_IN_ROOT)` does.

use std::{collections::VecDeque, os::fd::OwnedFd, sync::Arc};

use mirrord_protocol::files::{
    Attr, End, Entry, NodeId, Parent, ROOT, Step, WALK_DATA, Walked, Want, allow,
};
use rustix::{fs::readlinkat, io::Errno};

use super::{Context, attr, kernel, nodes::Node, nodes::open_path, output::Output};

/// As many links as the kernel follows (path_resolution(7)).
const MAX_LINKS: usize = 40;
/// A listing longer than this is left to a call of its own.
const MAX_LISTED: usize = 4096;

/// A directory or file on the walk's path.
struct Place {
    node: Arc<Node>,
    attr: Attr,
    name: Vec<u8>,
    link: Option<Vec<u8>>,
}

/// The whole walk.
pub(super) fn walk(context: &Context<'_>, path: &[u8], follow_last: bool, want: Want) -> Output {
    let root = match context.root() {
        Ok(root) => root,
        Err(errno) => return errno.into(),
    };
    let root_attr = root.attr;
    let mut walk = Walk {
        context,
        at: vec![root],
        steps: Vec::new(),
        parent: None,
        left: path
            .split(|&byte| byte == b'/')
            .map(<[u8]>::to_vec)
            .collect(),
        links: 0,
    };
    let end = walk.go(follow_last || path.ends_with(b"/"));
    let (end, data) = match end {
        Ok(()) => walk.finish(want),
        Err(errno) => (Err(errno.raw_os_error()), None),
    };
    let walked = Walked {
        root: root_attr,
        steps: walk.steps,
        end,
        parent: walk.parent,
    };
    Output::with_payload(mirrord_protocol::files::Answer::Walked(walked), data)
}

struct Walk<'a> {
    context: &'a Context<'a>,
    at: Vec<Place>,
    steps: Vec<Step>,
    parent: Option<Parent>,
    left: VecDeque<Vec<u8>>,
    links: usize,
}

impl Walk<'_> {
    fn go(&mut self, follow_last: bool) -> Result<(), Errno> {
        while let Some(name) = self.left.pop_front() {
            let here = self.here();
            if here.node.kind != libc::S_IFDIR {
                return Err(Errno::NOTDIR);
            }
            match &*name {
                b"" | b"." => continue,
                b".." => {
                    if self.at.len() > 1 {
                        self.at.pop();
                    }
                    continue;
                }
                _ => {}
            }
            let last = self.left.iter().all(|rest| rest.is_empty());
            if last {
                let (node, attr) = (here.node.id, here.attr);
                let allowed = self
                    .context
                    .allowed(&self.context.files.nodes.fd(&here.node)?);
                self.parent = Some(Parent {
                    node,
                    attr,
                    allowed,
                });
            }
            let place = self.step(name)?;
            match &place.link {
                Some(text) if !last || follow_last => self.follow(text.clone())?,
                _ => self.at.push(place),
            }
        }
        Ok(())
    }

    fn here(&self) -> &Place {
        // The root is never popped.
        &self.at[self.at.len() - 1]
    }

    fn step(&mut self, name: Vec<u8>) -> Result<Place, Errno> {
        let parent = self.here().node.clone();
        let found = look_up(self.context, &parent, &name);
        match found {
            Ok((node, entry)) => {
                let place = Place {
                    node,
                    attr: entry.attr,
                    name: name.clone(),
                    link: entry.link.clone(),
                };
                self.steps.push(Step {
                    parent: parent.id,
                    name,
                    entry: Some(entry),
                });
                Ok(place)
            }
            Err(Errno::NOENT) => {
                self.steps.push(Step {
                    parent: parent.id,
                    name,
                    entry: None,
                });
                Err(Errno::NOENT)
            }
            Err(errno) => Err(errno),
        }
    }

    fn follow(&mut self, text: Vec<u8>) -> Result<(), Errno> {
        self.links += 1;
        if self.links > MAX_LINKS {
            return Err(Errno::LOOP);
        }
        if text.is_empty() {
            return Err(Errno::NOENT);
        }
        if text.starts_with(b"/") {
            self.at.truncate(1);
        }
        for name in text.split(|&byte| byte == b'/').rev() {
            self.left.push_front(name.to_vec());
        }
        Ok(())
    }

    fn finish(&mut self, want: Want) -> (Result<End, i32>, Option<super::output::Payload>) {
        let place = self.here();
        let fd = match self.context.files.nodes.fd(&place.node) {
            Ok(fd) => fd,
            Err(errno) => return (Err(errno.raw_os_error()), None),
        };
        let allowed = self.context.allowed(&fd);
        let readable = allowed & allow::READ != 0;
        let mut attr = place.attr;
        let mut data = None;
        if want == Want::Data && readable && place.node.kind == libc::S_IFREG {
            // A file that cannot be read after all says so when it is read.
            if let Ok((payload, fresh)) = self.context.read(&place.node, 0, WALK_DATA) {
                attr = fresh;
                data = Some(payload);
            }
        }
        let mut listing = None;
        if want == Want::List && readable && place.node.kind == libc::S_IFDIR {
            listing = self
                .context
                .list_at_once(&place.node, MAX_LISTED)
                .unwrap_or(None);
        }
        let end = End {
            node: place.node.id,
            path: self.path(),
            attr,
            allowed,
            link: place.link.clone(),
            data: data.is_some(),
            listing,
        };
        (Ok(end), data)
    }

    fn path(&self) -> Vec<u8> {
        let mut path = Vec::new();
        for place in &self.at[1..] {
            path.push(b'/');
            path.extend_from_slice(&place.name);
        }
        if path.is_empty() {
            path.push(b'/');
        }
        path
    }
}

/// One name in a directory.
pub(super) fn look_up(
    context: &Context<'_>,
    parent: &Node,
    name: &[u8],
) -> Result<(Arc<Node>, Entry), Errno> {
    let directory = context.files.nodes.fd(parent)?;
    let fd = open_path(&directory, name)?;
    let found = attr::of(&fd)?;
    let link = (found.0.mode & libc::S_IFMT == libc::S_IFLNK).then(|| link_text(&fd));
    let link = link.transpose()?;
    let node = context
        .files
        .nodes
        .hand_out(&found, Some(fd), parent.id, name);
    let entry = Entry {
        node: node.id,
        attr: found.0,
        link,
    };
    Ok((node, entry))
}

/// The text of a symbolic link that is open as a path.
fn link_text(link: &OwnedFd) -> Result<Vec<u8>, Errno> {
    Ok(readlinkat(link, c"", Vec::new())?.into_bytes())
}

impl Context<'_> {
    fn root(&self) -> Result<Place, Errno> {
        let node = self.files.nodes.get(ROOT as NodeId)?;
        let (attr, _) = attr::of(self.files.nodes.fd(&node)?)?;
        Ok(Place {
            node,
            attr,
            name: Vec::new(),
            link: None,
        })
    }

    /// What the kernel allows this thread with a file.
    fn allowed(&self, fd: &Arc<OwnedFd>) -> u8 {
        use std::os::fd::AsFd;
        [allow::READ, allow::WRITE, allow::EXECUTE]
            .into_iter()
            .map(|bit| match kernel::access(fd.as_fd(), u32::from(bit)) {
                Ok(()) => bit,
                Err(Errno::ROFS) => allow::READ_ONLY,
                Err(_) => 0,
            })
            .fold(0, |bits, bit| bits | bit)
    }
}
