//! What is known of the pod's tree, and for how long it may be believed.
//!
//! Answers of the agent are absorbed here, the kernel's look-ups are answered from here. An answer
//! that was on its way while we changed the same file is used once and not kept: [`Tree::began`]
//! numbers the moments at which calls begin and changes happen.

use std::{
    collections::HashMap,
    rc::Rc,
    time::{Duration, Instant},
};

use mirrord_protocol::files::{Attr, BELIEVED_MS, Entry, Listed, NodeId, ROOT};

use crate::{abi::Valid, content::Content};

/// How long answers are believed.
pub(crate) const BELIEVED: Duration = Duration::from_millis(BELIEVED_MS);

/// Everything known.
pub(crate) struct Tree {
    nodes: HashMap<NodeId, Node>,
    moment: u64,
}

/// A moment, to tell what an answer may not know yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Moment(u64);

/// Something that was true.
#[derive(Debug, Clone)]
pub(crate) struct Known<T> {
    pub(crate) value: T,
    until: Instant,
}

/// One file.
pub(crate) struct Node {
    /// How often the agent handed it out; given back as often.
    handed: u64,
    /// How many look-ups the kernel holds.
    kernel: u64,
    touched: Instant,
    pub(crate) parent: NodeId,
    attr: Option<Known<Attr>>,
    pub(crate) link: Option<Rc<[u8]>>,
    names: HashMap<Vec<u8>, Known<Option<NodeId>>>,
    pub(crate) directory: Directory,
    pub(crate) content: Content,
    /// Changes of ours that are not yet answered.
    changing: u32,
    changed: u64,
}

/// A directory's names, each with a number that stays the same from listing to listing, so that
/// reading on after a pause neither skips nor repeats (readdir(3)).
#[derive(Default)]
pub(crate) struct Directory {
    numbers: HashMap<Vec<u8>, u64>,
    last: u64,
    listing: Option<Known<Rc<Vec<Numbered>>>>,
}

/// One name of a listing.
#[derive(Debug)]
pub(crate) struct Numbered {
    pub(crate) number: u64,
    pub(crate) name: Vec<u8>,
    pub(crate) ino: u64,
    pub(crate) kind: u8,
    pub(crate) node: Option<NodeId>,
}

impl<T> Known<T> {
    fn fresh(value: T) -> Self {
        Known {
            value,
            until: Instant::now() + BELIEVED,
        }
    }

    /// How much longer it may be believed; zero: no more.
    pub(crate) fn left(&self) -> Duration {
        self.until.saturating_duration_since(Instant::now())
    }
}

impl Tree {
    pub(crate) fn new() -> Tree {
        let mut nodes = HashMap::new();
        nodes.insert(ROOT, Node::new(ROOT));
        Tree { nodes, moment: 1 }
    }

    /// The present moment, to be noted when a call begins.
    pub(crate) fn began(&self) -> Moment {
        Moment(self.moment)
    }

    pub(crate) fn node(&self, id: NodeId) -> Option<&Node> {
        self.nodes.get(&id)
    }

    pub(crate) fn node_mut(&mut self, id: NodeId) -> Option<&mut Node> {
        self.nodes.get_mut(&id)
    }

    /// Attributes that may still be believed.
    pub(crate) fn attr(&self, id: NodeId) -> Option<(Attr, Duration)> {
        let known = self.nodes.get(&id)?.attr.as_ref()?;
        let left = known.left();
        (!left.is_zero()).then_some((known.value, left))
    }

    /// The attributes last seen, however old.
    pub(crate) fn last_attr(&self, id: NodeId) -> Option<Attr> {
        Some(self.nodes.get(&id)?.attr.as_ref()?.value)
    }

    /// What a name was, if that may still be believed: nothing, or a node with its attributes.
    pub(crate) fn name(
        &self,
        parent: NodeId,
        name: &[u8],
    ) -> Option<(Option<(NodeId, Attr)>, Valid)> {
        let known = self.nodes.get(&parent)?.names.get(name)?;
        let left = known.left();
        if left.is_zero() {
            return None;
        }
        match known.value {
            None => Some((
                None,
                Valid {
                    name: left,
                    attr: Duration::ZERO,
                },
            )),
            Some(node) => {
                let (attr, attr_left) = self.attr(node)?;
                Some((
                    Some((node, attr)),
                    Valid {
                        name: left,
                        attr: attr_left,
                    },
                ))
            }
        }
    }

    /// Takes in what a name is, and says for how long that may be believed.
    pub(crate) fn absorb(
        &mut self,
        parent: NodeId,
        name: &[u8],
        entry: Option<&Entry>,
        began: Moment,
    ) -> Valid {
        let attr = entry.map_or(Duration::ZERO, |entry| {
            let node = self
                .nodes
                .entry(entry.node)
                .or_insert_with(|| Node::new(parent));
            node.handed += 1;
            node.parent = parent;
            node.link = entry.link.as_deref().map(Rc::from);
            self.absorb_attr(entry.node, &entry.attr, began)
        });
        let Some(directory) = self.nodes.get_mut(&parent) else {
            return Valid {
                name: Duration::ZERO,
                attr,
            };
        };
        directory.touched = Instant::now();
        if !directory.undisturbed_since(began) {
            directory.names.remove(name);
            return Valid {
                name: Duration::ZERO,
                attr,
            };
        }
        let node = entry.map(|entry| entry.node);
        directory.names.insert(name.to_vec(), Known::fresh(node));
        Valid {
            name: BELIEVED,
            attr,
        }
    }

    /// Takes in attributes, and says for how long they may be believed.
    pub(crate) fn absorb_attr(&mut self, id: NodeId, attr: &Attr, began: Moment) -> Duration {
        let Some(node) = self.nodes.get_mut(&id) else {
            return Duration::ZERO;
        };
        node.touched = Instant::now();
        if !node.undisturbed_since(began) {
            return Duration::ZERO;
        }
        // The kernel keeps a listing for as long as the directory's time is the same, so it must
        // never get one from before a time that it has been told.
        let before = node.attr.as_ref().map(|known| known.value.modified);
        if before.is_some_and(|before| before != attr.modified)
            && let Some(listing) = &mut node.directory.listing
        {
            listing.until = Instant::now();
        }
        node.attr = Some(Known::fresh(*attr));
        BELIEVED
    }

    /// Takes in a whole directory.
    pub(crate) fn absorb_listing(
        &mut self,
        id: NodeId,
        listed: &[Listed],
        began: Moment,
    ) -> Rc<Vec<Numbered>> {
        for name in listed {
            if let Some(entry) = &name.entry {
                self.absorb(id, &name.name, Some(entry), began);
            }
        }
        let Some(node) = self.nodes.get_mut(&id) else {
            return Rc::default();
        };
        let listing = Rc::new(node.directory.number(listed));
        let undisturbed = node.undisturbed_since(began);
        node.directory.listing = undisturbed.then(|| Known::fresh(listing.clone()));
        listing
    }

    /// The kernel was told of a node once more.
    pub(crate) fn told(&mut self, id: NodeId) {
        if let Some(node) = self.nodes.get_mut(&id) {
            node.kernel += 1;
        }
    }

    /// The kernel gives a node back.
    pub(crate) fn forgotten(&mut self, id: NodeId, count: u64) {
        if let Some(node) = self.nodes.get_mut(&id) {
            node.kernel = node.kernel.saturating_sub(count);
        }
    }

    /// A change of ours begins: what was asked before does not know it.
    pub(crate) fn begin_change(&mut self, id: NodeId) {
        self.moment += 1;
        if let Some(node) = self.nodes.get_mut(&id) {
            node.changing += 1;
            node.changed = self.moment;
            node.disbelieve();
        }
    }

    /// It is answered; what was asked until now may or may not know it.
    pub(crate) fn end_change(&mut self, id: NodeId) {
        self.moment += 1;
        if let Some(node) = self.nodes.get_mut(&id) {
            node.changing -= 1;
            node.changed = self.moment;
            node.disbelieve();
        }
    }

    /// Drops what is no longer believed and nobody holds; returns nodes to give back.
    pub(crate) fn sweep(&mut self) -> Vec<(NodeId, u64)> {
        let now = Instant::now();
        for node in self.nodes.values_mut() {
            node.names.retain(|_, known| known.until > now);
            if node.touched + BELIEVED * 2 < now {
                node.content.clear();
                node.directory
                    .listing
                    .take_if(|listing| listing.until + LISTING_KEPT < now);
            }
        }
        let unused = |id: &NodeId, node: &mut Node| {
            *id != ROOT
                && node.kernel == 0
                && node.changing == 0
                && node.touched + BELIEVED * 2 < now
        };
        self.nodes
            .extract_if(unused)
            .map(|(id, node)| (id, node.handed))
            .collect()
    }

    /// How deep a node is below the root.
    pub(crate) fn depth(&self, mut id: NodeId) -> usize {
        let mut depth = 0;
        while let (true, Some(node)) = (id != ROOT && depth < 4096, self.nodes.get(&id)) {
            depth += 1;
            id = node.parent;
        }
        depth
    }
}

/// A listing that somebody may still be reading on in.
const LISTING_KEPT: Duration = Duration::from_secs(60);

impl Node {
    fn new(parent: NodeId) -> Node {
        Node {
            handed: 0,
            kernel: 0,
            touched: Instant::now(),
            parent,
            attr: None,
            link: None,
            names: HashMap::new(),
            directory: Directory::default(),
            content: Content::default(),
            changing: 0,
            changed: 0,
        }
    }

    fn undisturbed_since(&self, began: Moment) -> bool {
        self.changing == 0 && self.changed <= began.0
    }

    fn disbelieve(&mut self) {
        let now = Instant::now();
        if let Some(attr) = &mut self.attr {
            attr.until = now;
        }
        self.names.clear();
        if let Some(listing) = &mut self.directory.listing {
            listing.until = now;
        }
        self.content.clear();
    }

    /// Somebody uses it without the kernel's knowing.
    pub(crate) fn touch(&mut self) {
        self.touched = Instant::now();
    }
}

impl Directory {
    /// The listing to read from `after` on: a new one is wanted at the start, when the last is
    /// no longer believed.
    pub(crate) fn listing(&self, after: u64) -> Option<Rc<Vec<Numbered>>> {
        let known = self.listing.as_ref()?;
        (after > 2 || !known.left().is_zero()).then(|| known.value.clone())
    }

    fn number(&mut self, listed: &[Listed]) -> Vec<Numbered> {
        // 1 and 2 are `.` and `..`.
        self.last = self.last.max(2);
        let old = std::mem::take(&mut self.numbers);
        let mut numbered = Vec::with_capacity(listed.len());
        for name in listed {
            let number = old.get(&name.name).copied().unwrap_or_else(|| {
                self.last += 1;
                self.last
            });
            self.numbers.insert(name.name.clone(), number);
            numbered.push(Numbered {
                number,
                name: name.name.clone(),
                ino: name.ino,
                kind: name.kind,
                node: name.entry.as_ref().map(|entry| entry.node),
            });
        }
        numbered.sort_by_key(|name| name.number);
        numbered
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mirrord_protocol::files::Time;

    fn attr_of(nanoseconds: u32) -> Attr {
        Attr {
            modified: Time {
                seconds: 1,
                nanoseconds,
            },
            ..Attr::default()
        }
    }

    #[test]
    fn a_listing_from_before_a_directorys_new_time_is_not_used_any_more() {
        let mut tree = Tree::new();
        let began = tree.began();
        tree.absorb_attr(ROOT, &attr_of(1), began);
        tree.absorb_listing(ROOT, &[], began);
        tree.absorb_attr(ROOT, &attr_of(1), began);
        let listing = |tree: &Tree| tree.node(ROOT).unwrap().directory.listing(0);
        assert!(listing(&tree).is_some());
        tree.absorb_attr(ROOT, &attr_of(2), began);
        assert!(listing(&tree).is_none());
    }
}
