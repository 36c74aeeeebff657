//! Clients of the pod's ports, handed to the program's own listeners.
