//! stack.yml as types.
