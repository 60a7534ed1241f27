//! Tests of the alarms of `template.yaml`.

mod faults;
