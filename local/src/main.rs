//! Runs the functions of a stack.yml on this machine.

fn main() {}
