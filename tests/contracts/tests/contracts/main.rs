//! The contracts on the ports in memory, and on wrong ones, which break them.

mod memory;
