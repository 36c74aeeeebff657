//! Table of names and where they lead.
