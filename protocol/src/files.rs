//! File calls: what the file server asks of the agent.
