//! What a web ACL takes of its capacity: 1,500 units are in the price, each 500 more cost extra
//! (<https://docs.aws.amazon.com/waf/latest/developerguide/aws-waf-capacity-units.html>).

use anyhow::{Context, Result};

use crate::acl::{Statement, WebAcl};
use crate::managed::Group;

/// What is in the price.
pub const INCLUDED_UNITS: u32 = 1500;

/// The units that a web ACL takes, by AWS's rules for each kind of statement: 1 for a logical one or a label, 3 for a
/// regular expression without transformations, 2 for a rate by address, and what a group says of itself.
///
/// # Errors
/// When it asks a group that is not known.
pub fn required_units(acl: &WebAcl) -> Result<u32> {
    let mut sum = 0;
    let mut unknown = None;
    for rule in &acl.rules {
        rule.statement.visit(&mut |statement| {
            sum += match statement {
                Statement::AndStatement { .. }
                | Statement::OrStatement { .. }
                | Statement::NotStatement { .. }
                | Statement::LabelMatchStatement { .. } => 1,
                Statement::RegexMatchStatement { .. } => 3,
                Statement::RateBasedStatement { .. } => 2,
                Statement::ManagedRuleGroupStatement { name, .. } => {
                    let group = Group::by_name(name);
                    unknown = unknown.or(group.is_none().then_some(name));
                    group.map_or(0, |group| group.capacity)
                }
            };
        });
    }
    unknown.map_or(Some(sum), |_| None).context("a group is not known")
}
