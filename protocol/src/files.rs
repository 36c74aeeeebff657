//! File calls: what the file server asks of the agent.
//!
//! Names and attributes travel on the [`Files`](crate::hello::Purpose::Files) link, content on
//! [`FileContent`](crate::hello::Purpose::FileContent), so that a `stat` never waits behind a
//! download. One WebSocket message holds one [`Call`] or [`Reply`], encoded with `postcard`, and
//! after it the raw payload (bytes to write, bytes read). The asker bounds what is outstanding.

use serde::{Deserialize, Serialize};

use crate::creds::Creds;

/// The node of the pod's root directory, on every link.
pub const ROOT: NodeId = 1;
/// A walk brings at most this much of a file along.
pub const WALK_DATA: u32 = 128 * 1024;
/// A read or write moves at most this much.
pub const MAX_TRANSFER: u32 = 1024 * 1024;
/// For how long an answer about names and attributes may be believed, in milliseconds. A change
/// in the pod must be seen within a second.
pub const BELIEVED_MS: u64 = 800;

/// A file of the pod, named by the agent. It stays valid until it was given back as often as it
/// was handed out ([`Op::Forget`]), as inodes of FUSE are. The same file has the same node.
pub type NodeId = u64;

/// File server → agent: one call; the raw payload follows it in the message.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Call {
    /// Chosen by the asker, unique on its link; 0 asks for no reply.
    pub id: u64,
    /// Whose rights apply; `None`: the target's.
    pub creds: Option<Creds>,
    /// What to do.
    pub op: Op,
}

/// Agent → file server; the raw payload follows it in the message.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Reply {
    /// The call's id.
    pub id: u64,
    /// More replies with this id follow (big listings).
    pub more: bool,
    /// The answer, or the errno number that the call gave in the pod.
    pub result: Result<Answer, i32>,
}

/// What to do.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Op {
    /// Resolve a whole path from the pod's root. Answered by [`Answer::Walked`].
    Walk {
        /// The path; a leading slash is not needed.
        path: Vec<u8>,
        /// Whether a symbolic link at the end is followed.
        follow_last: bool,
        /// What to bring along of the last component.
        want: Want,
    },
    /// One name in a directory. [`Answer::Entry`].
    Lookup {
        /// The directory.
        parent: NodeId,
        /// The name.
        name: Vec<u8>,
    },
    /// Attributes. [`Answer::Attr`].
    Attr {
        /// The file.
        node: NodeId,
    },
    /// All names of a directory with their attributes. [`Answer::Listing`], in several replies.
    List {
        /// The directory.
        node: NodeId,
    },
    /// Content. [`Answer::Read`] with the bytes as payload; fewer than asked: the end.
    Read {
        /// The file.
        node: NodeId,
        /// Where.
        offset: u64,
        /// How much, at most [`MAX_TRANSFER`].
        len: u32,
    },
    /// The payload is written. [`Answer::Written`]. Writes to one file are done in their order.
    Write {
        /// The file.
        node: NodeId,
        /// Where; ignored with `append`.
        offset: u64,
        /// `O_APPEND`: at the end, wherever that is by then.
        append: bool,
    },
    /// Changes attributes. [`Answer::Attr`].
    SetAttr {
        /// The file.
        node: NodeId,
        /// What to change.
        changes: Changes,
    },
    /// `mknod(2)`; a regular file stays writable through its node whatever its mode says, as it
    /// would through the descriptor of `open(2)`. [`Answer::Entry`].
    Mknod {
        /// The directory.
        parent: NodeId,
        /// The name.
        name: Vec<u8>,
        /// Kind and permission bits, umask already applied.
        mode: u32,
        /// For device nodes.
        rdev: u64,
    },
    /// `mkdir(2)`. [`Answer::Entry`].
    Mkdir {
        /// The directory.
        parent: NodeId,
        /// The name.
        name: Vec<u8>,
        /// Permission bits, umask already applied.
        mode: u32,
    },
    /// `symlink(2)`. [`Answer::Entry`].
    Symlink {
        /// The directory.
        parent: NodeId,
        /// The name.
        name: Vec<u8>,
        /// The text.
        target: Vec<u8>,
    },
    /// `link(2)`. [`Answer::Entry`].
    Link {
        /// The file.
        node: NodeId,
        /// The directory.
        parent: NodeId,
        /// The new name.
        name: Vec<u8>,
    },
    /// `renameat2(2)`. [`Answer::Done`].
    Rename {
        /// The directory.
        parent: NodeId,
        /// The old name.
        name: Vec<u8>,
        /// The new directory.
        new_parent: NodeId,
        /// The new name.
        new_name: Vec<u8>,
        /// `RENAME_…`
        flags: u32,
    },
    /// `unlink(2)`, or `rmdir(2)` with `dir`. [`Answer::Done`].
    Remove {
        /// The directory.
        parent: NodeId,
        /// The name.
        name: Vec<u8>,
        /// `AT_REMOVEDIR`
        dir: bool,
    },
    /// `fsync(2)`. [`Answer::Done`].
    Sync {
        /// The file.
        node: NodeId,
        /// `fdatasync(2)`
        data_only: bool,
    },
    /// `statfs(2)`. [`Answer::StatFs`].
    StatFs {
        /// Any file there.
        node: NodeId,
    },
    /// `access(2)`. [`Answer::Done`].
    Access {
        /// The file.
        node: NodeId,
        /// `R_OK`, `W_OK`, `X_OK`
        mask: u32,
    },
    /// `fallocate(2)`. [`Answer::Done`].
    Allocate {
        /// The file.
        node: NodeId,
        /// `FALLOC_FL_…`
        mode: u32,
        /// Where.
        offset: u64,
        /// How much.
        len: u64,
    },
    /// `lseek(2)` with `SEEK_DATA` or `SEEK_HOLE`. [`Answer::Offset`].
    Seek {
        /// The file.
        node: NodeId,
        /// From where.
        offset: u64,
        /// Which.
        whence: u32,
    },
    /// Extended attribute. [`Answer::Bytes`].
    GetXattr {
        /// The file.
        node: NodeId,
        /// Its name.
        name: Vec<u8>,
    },
    /// Names of extended attributes, each closed by NUL. [`Answer::Bytes`].
    ListXattr {
        /// The file.
        node: NodeId,
    },
    /// Sets an extended attribute. [`Answer::Done`].
    SetXattr {
        /// The file.
        node: NodeId,
        /// Its name.
        name: Vec<u8>,
        /// Its value.
        value: Vec<u8>,
        /// `XATTR_CREATE`, `XATTR_REPLACE`
        flags: u32,
    },
    /// Removes an extended attribute. [`Answer::Done`].
    RemoveXattr {
        /// The file.
        node: NodeId,
        /// Its name.
        name: Vec<u8>,
    },
    /// Gives nodes back; no reply.
    Forget {
        /// Node, and how often it was handed out.
        nodes: Vec<(NodeId, u64)>,
    },
    /// Nobody waits for this call any more; no reply. What has begun is finished all the same.
    Cancel {
        /// Its id.
        id: u64,
    },
}

/// What a walk brings along.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Want {
    /// Attributes and access bits only.
    Attr,
    /// The first [`WALK_DATA`] bytes as well, where the file is regular and may be read.
    Data,
    /// The listing as well, where it is a directory that may be read.
    List,
}

/// The answer to a call.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[expect(
    clippy::large_enum_variant,
    reason = "one value lives at a time, on its way to the wire"
)]
pub enum Answer {
    /// To [`Op::Walk`].
    Walked(Walked),
    /// One name.
    Entry(Entry),
    /// Attributes.
    Attr(Attr),
    /// A part of a directory.
    Listing(Vec<Listed>),
    /// Bytes follow as payload; the file's attributes when they were read.
    Read(Attr),
    /// Bytes were written.
    Written {
        /// Where (with `append`, where it really was).
        offset: u64,
        /// How many.
        len: u32,
        /// The file's attributes afterwards.
        attr: Attr,
    },
    /// Done.
    Done,
    /// `statfs(2)`.
    StatFs(StatFs),
    /// A place in a file.
    Offset(u64),
    /// Bytes.
    Bytes(Vec<u8>),
}

/// A whole path, component by component.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Walked {
    /// Attributes of the root, where every walk begins.
    pub root: Attr,
    /// Every look-up that the walk made, in order, those behind symbolic links too.
    pub steps: Vec<Step>,
    /// The file at the end, or the errno of the walk.
    pub end: Result<End, i32>,
    /// What the directory of the last component allows, when the walk came that far.
    pub parent: Option<Parent>,
}

/// One look-up of a walk.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Step {
    /// The directory.
    pub parent: NodeId,
    /// The name.
    pub name: Vec<u8>,
    /// What is there; `None`: nothing (ENOENT).
    pub entry: Option<Entry>,
}

/// The file that a walk found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct End {
    /// The file.
    pub node: NodeId,
    /// Its path without symbolic links.
    pub path: Vec<u8>,
    /// Its attributes.
    pub attr: Attr,
    /// What the pod's kernel allows ([`allow`] bits).
    pub allowed: u8,
    /// The text, when it is a symbolic link.
    pub link: Option<Vec<u8>>,
    /// [`Want::Data`]: the payload holds the file's first bytes.
    pub data: bool,
    /// [`Want::List`]: the whole listing, where it is not too big for one reply.
    pub listing: Option<Vec<Listed>>,
}

/// A directory on the way.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Parent {
    /// The directory.
    pub node: NodeId,
    /// Its attributes.
    pub attr: Attr,
    /// What the pod's kernel allows ([`allow`] bits).
    pub allowed: u8,
}

/// Bits as of `access(2)`, evaluated by the pod's kernel with the caller's ids.
pub mod allow {
    /// `R_OK`
    pub const READ: u8 = 4;
    /// `W_OK`
    pub const WRITE: u8 = 2;
    /// `X_OK`: execute a file, search a directory
    pub const EXECUTE: u8 = 1;
    /// Writing is refused because the file system is mounted read-only (`EROFS`).
    pub const READ_ONLY: u8 = 8;
}

/// A name's file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// The file.
    pub node: NodeId,
    /// Its attributes.
    pub attr: Attr,
    /// The text of a symbolic link.
    pub link: Option<Vec<u8>>,
}

/// One name of a listing.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Listed {
    /// The name; never `.` or `..`.
    pub name: Vec<u8>,
    /// Inode number.
    pub ino: u64,
    /// `DT_…`
    pub kind: u8,
    /// Node and attributes; `None` where the name vanished meanwhile or may not be looked up.
    pub entry: Option<Entry>,
}

/// A point in time as `stat(2)` gives it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Time {
    /// Seconds since 1970.
    pub seconds: i64,
    /// And nanoseconds.
    pub nanoseconds: u32,
}

/// Attributes as `statx(2)` gives them in the pod.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attr {
    /// Inode number.
    pub ino: u64,
    /// Length in bytes.
    pub size: u64,
    /// 512-byte blocks.
    pub blocks: u64,
    /// Preferred block size.
    pub block_size: u32,
    /// Kind and permission bits.
    pub mode: u32,
    /// Hard links.
    pub links: u32,
    /// Owner in the pod.
    pub uid: u32,
    /// Group in the pod.
    pub gid: u32,
    /// Device number of a device node.
    pub rdev: u64,
    /// Device number of the file system it is on.
    pub dev: u64,
    /// Last access.
    pub accessed: Time,
    /// Last change of the content.
    pub modified: Time,
    /// Last change of the attributes.
    pub changed: Time,
    /// Birth, where the file system knows it.
    pub born: Option<Time>,
    /// Its size is not known before it is read (`/proc`): `size` is 0 although there is content.
    pub unsized_file: bool,
}

/// What [`Op::SetAttr`] changes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Changes {
    /// Permission bits.
    pub mode: Option<u32>,
    /// Owner.
    pub uid: Option<u32>,
    /// Group.
    pub gid: Option<u32>,
    /// Length.
    pub size: Option<u64>,
    /// Access time.
    pub accessed: Option<SetTime>,
    /// Modification time.
    pub modified: Option<SetTime>,
}

/// A time to set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum SetTime {
    /// The pod's present time.
    Now,
    /// This one.
    At(Time),
}

/// `statfs(2)` as the pod sees it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StatFs {
    /// `f_type`
    pub kind: u64,
    /// `f_bsize`
    pub block_size: u32,
    /// `f_frsize`
    pub fragment_size: u32,
    /// `f_blocks`
    pub blocks: u64,
    /// `f_bfree`
    pub blocks_free: u64,
    /// `f_bavail`
    pub blocks_available: u64,
    /// `f_files`
    pub files: u64,
    /// `f_ffree`
    pub files_free: u64,
    /// `f_namelen`
    pub name_max: u32,
}
