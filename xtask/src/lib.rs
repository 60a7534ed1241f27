//! What the developer's commands share: paths, pinned tools, builds, and the other programs of the workspace.

pub mod functions;
pub mod paths;
pub mod process;
pub mod programs;
pub mod release;
pub mod tools;
pub mod workspace;
