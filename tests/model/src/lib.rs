//! The protocol, model-checked.
