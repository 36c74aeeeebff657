//! What a row of the table can say about a debug adapter.

/// One debug adapter, or one way of using it.
#[derive(Debug)]
pub struct Adapter {
    /// Our name for it, as the protocol's `launch.adapter`.
    pub name: &'static str,
    /// Further names: the types in `launch.json` and what JetBrains IDEs call it.
    pub types: &'static [&'static str],
    /// What else must be so for this row to count; rows are tried in order.
    pub when: When,
    /// Whether its launches are for us at all.
    pub serve: Serve,
    /// Field of the raw configuration that holds the environment.
    pub env: &'static str,
    /// How variables are written there.
    pub shape: Shape,
    /// Whether `null` takes a variable out that the launch would inherit.
    pub null_unsets: bool,
    /// Fields that name the file whose loader decides whether a preload works, best first.
    pub executable: &'static [&'static str],
    /// What that file is when no field names it.
    pub default_executable: Option<&'static str>,
    /// How the launcher gets in front of a program that a preload cannot reach.
    pub front: Front,
    /// Where its ports are told.
    pub ports: &'static [Port],
    /// File names of executables that it starts for itself.
    pub helpers: &'static [&'static str],
}

/// A condition on the raw configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// None.
    Always,
    /// The field is there.
    Has(&'static str),
    /// None of the fields is there.
    HasNone(&'static [&'static str]),
    /// The field has this text.
    Is(&'static str, &'static str),
}

/// Whether launches are served.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Serve {
    /// Yes.
    Yes,
    /// Nothing in it can run as if in the pod; why.
    Skip(&'static str),
    /// The user means it, and it cannot be done: why, and what to do instead.
    Refuse(&'static str, &'static str),
}

/// How variables are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// `{"NAME": "value"}`
    Object,
    /// `["NAME=value"]`
    Words,
    /// `[{"name": "NAME", "value": "value"}]`
    Pairs,
}

/// How the launcher gets in front.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Front {
    /// A field names the executable, another one takes the launcher's words and the executable.
    Fields {
        /// The executable's.
        executable: &'static str,
        /// Its first arguments'.
        arguments: &'static str,
    },
    /// A field takes the interpreter with arguments, as a list.
    List(&'static str),
    /// A field takes commands for gdb, which starts the program through `exec-wrapper`.
    Gdb(GdbCommands),
    /// In front of the debugger itself, which starts the program without a shell or a wrapper.
    /// The field takes one executable and no arguments. Always done: what the debugger builds is
    /// not there yet when we are asked.
    Debugger {
        /// The field.
        field: &'static str,
        /// The debugger, when the field is empty.
        default: &'static str,
    },
    /// There is no place for it; what the user can do.
    Nowhere(&'static str),
}

/// Where commands for gdb are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GdbCommands {
    /// `[{"text": "command"}]` in this field.
    Objects(&'static str),
    /// `["command"]` in this field.
    Texts(&'static str),
}

/// Where a port is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Port {
    /// At this place (RFC 6901): a number, or `host:port`.
    At(&'static str),
    /// By a word of a command line: `WORD=…:N`, `WORD N`, or `WORD` alone for the default.
    Word(&'static str, Option<u16>),
    /// This one, unless a field says otherwise.
    Usually(&'static str, u16),
}

impl Adapter {
    /// Whether `name` is one of its names.
    pub(crate) fn is_called(&self, name: &str) -> bool {
        self.name.eq_ignore_ascii_case(name)
            || self
                .types
                .iter()
                .any(|known| known.eq_ignore_ascii_case(name))
    }
}
