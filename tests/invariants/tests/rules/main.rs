//! Each rule: what satisfies it, and the smallest change that breaks it.

mod moment;
mod sample;
mod step;
