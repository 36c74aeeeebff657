//! Calls of a real child against a folder in the place of the pod.
