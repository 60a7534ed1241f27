//! Web ACL capacity units (WCU): the base price includes 1,500; each 500 more cost extra
//! (<https://docs.aws.amazon.com/waf/latest/developerguide/aws-waf-capacity-units.html>).

use anyhow::{Context, Result};

use crate::acl::{Statement, WebAcl};
use crate::managed::Group;

/// The capacity units that the base price includes.
pub const INCLUDED_UNITS: u32 = 1500;

/// Returns the capacity units that a web ACL uses, by AWS's rules for each kind of statement: 1 for a logical
/// statement or a label match, 3 for a regular expression without transformations, 2 for a rate-based
/// statement by IP address, and the fixed capacity of a rule group.
///
/// # Errors
/// When the web ACL uses an unknown rule group.
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
    unknown.map_or(Some(sum), |_| None).context("a rule group is unknown")
}
