//! The routes on which managed rules are not enforced, with the reasons. On all other routes the contract
//! prevents legitimate requests from matching any rule: short paths and ids, bodies of a few hundred bytes,
//! names of people and places.
//!
//! `tests/firewall/main.rs` compares this table with the behaviour of the web ACL for every rule and route.

use crate::managed::{Group, Rule};
use crate::routes::Route;

/// Managed rules that are not enforced on some routes.
#[derive(Debug)]
pub struct Exception {
    /// The names of rules, or of whole rule groups.
    pub rules: &'static [&'static str],
    /// The paths of the routes in the contract.
    pub paths: &'static [&'static str],
    /// How the web ACL implements the exception.
    pub treatment: Treatment,
    /// The reason for the exception.
    pub reason: &'static str,
}

/// How the web ACL implements an exception.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Treatment {
    /// A scope-down statement excludes the request from the rule group.
    ScopedDown,
    /// The action of the rule is Count, and a custom rule blocks the labelled requests on the other routes.
    Counted,
}

const COMMON: &str = "AWSManagedRulesCommonRuleSet";
const BAD_INPUTS: &str = "AWSManagedRulesKnownBadInputsRuleSet";
const REPUTATION: &str = "AWSManagedRulesAmazonIpReputationList";

/// Every exception to a managed rule.
pub const EXCEPTIONS: &[Exception] = &[
    Exception {
        rules: &[COMMON, BAD_INPUTS, REPUTATION],
        paths: &[
            "/reservations/{order_id}",
            "/reservations/{order_id}/commit",
            "/reservations/{order_id}/release",
        ],
        treatment: Treatment::ScopedDown,
        reason: "The gateway admits only roles of this stack here (SigV4). Their requests come from Lambda's IP addresses, \
                 whose reputation other customers can damage; and AWS updates its rules automatically, which must not \
                 stop orders.",
    },
    Exception {
        rules: &[COMMON, BAD_INPUTS, REPUTATION],
        paths: &["/webhooks/stripe"],
        treatment: Treatment::ScopedDown,
        reason: "The function processes nothing before it has verified Stripe's HMAC of the body. Events have 2 to 20 KB and \
                 contain user input from elsewhere in the same Stripe account: URLs, markup, paths. Stripe retries a \
                 rejected event for three days and then disables the endpoint.",
    },
    Exception {
        rules: &[REPUTATION],
        paths: &["/products/{sku}"],
        treatment: Treatment::ScopedDown,
        reason: "Invoicing and search read products from Lambda's shared IP addresses.",
    },
    Exception {
        rules: &["SizeRestrictions_BODY"],
        paths: &["/orders", "/partner/orders", "/me"],
        treatment: Treatment::Counted,
        reason: "Fifty order lines have 6 KB without white space and 15 KB with it; ten addresses in Chinese have 20 KB. The \
                 functions reject bodies above 64 KB (413), and all other rules inspect bodies up to that size.",
    },
    Exception {
        rules: &["EC2MetaDataSSRF_BODY", "GenericLFI_BODY", "GenericRFI_BODY"],
        paths: &["/webhooks", "/webhooks/{webhook_id}"],
        treatment: Treatment::Counted,
        reason: "The body of these requests contains a URL. The function accepts only public host names, which is stricter, \
                 and its error says what is wrong; the local test receiver is http://127.0.0.1.",
    },
    Exception {
        rules: &["CrossSiteScripting_BODY"],
        paths: &["/products/{sku}"],
        treatment: Treatment::Counted,
        reason: "A product name can contain markup, for example of a mug with <script> on it. Only staff can set it, and all \
                 output escapes it.",
    },
    Exception {
        rules: &["RestrictedExtensions_URIPATH", "ExploitablePaths_URIPATH"],
        paths: &["/products/{sku}", "/products/{sku}/image", "/products/{sku}/deliveries/{delivery_id}"],
        treatment: Treatment::Counted,
        reason: "SKUs and delivery ids can contain dots: CABLE.LOG, web.config, .env. They are table keys, never file names.",
    },
    Exception {
        rules: &["RestrictedExtensions_QUERYARGUMENTS"],
        paths: &["/orders", "/partner/orders", "/search/orders", "/partner/search/orders"],
        treatment: Treatment::Counted,
        reason: "Customer ids (`customer_id`) can contain dots, and a search can be for a SKU or an address such as \
                 ada@mail.pass.",
    },
    Exception {
        rules: &[
            "SizeRestrictions_QUERYSTRING",
            "EC2MetaDataSSRF_QUERYARGUMENTS",
            "GenericLFI_QUERYARGUMENTS",
            "GenericRFI_QUERYARGUMENTS",
            "CrossSiteScripting_QUERYARGUMENTS",
        ],
        paths: &["/search/orders", "/partner/search/orders"],
        treatment: Treatment::Counted,
        reason: "A search can be for any text, and 200 characters have up to 2.4 KB in a URL. The text is split into words and \
                 compared; no response contains it.",
    },
];

impl Exception {
    /// Returns the exception for a rule on a route, if there is one.
    pub fn find(group: &Group, rule: &Rule, route: &Route) -> Option<&'static Self> {
        EXCEPTIONS.iter().find(|exception| {
            exception.paths.contains(&route.path.as_str())
                && exception.rules.iter().any(|name| [group.name, rule.name].contains(name))
        })
    }
}
