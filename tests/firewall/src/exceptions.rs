//! Where a managed rule is not enforced, and why. On every other route, no honest request can meet any rule, by what the
//! contract says of it: paths and ids of few characters, bodies of some hundred bytes, names of people and places.
//!
//! `tests/firewall/main.rs` compares this with what the web ACL does, rule by rule and route by route.

use crate::managed::{Group, Rule};
use crate::routes::Route;

/// Rules that are not enforced on some routes.
#[derive(Debug)]
pub struct Exception {
    /// The names of the rules, or of whole groups.
    pub rules: &'static [&'static str],
    /// Paths of the contract.
    pub paths: &'static [&'static str],
    /// How the web ACL leaves them out.
    pub treatment: Treatment,
    /// Why.
    pub reason: &'static str,
}

/// How the web ACL leaves a rule out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Treatment {
    /// The group does not look at the request at all (a scope-down statement): what the rule finds is not known.
    ScopedDown,
    /// The rule is counted, and a rule of our own refuses what it found elsewhere.
    Counted,
}

const COMMON: &str = "AWSManagedRulesCommonRuleSet";
const BAD_INPUTS: &str = "AWSManagedRulesKnownBadInputsRuleSet";
const REPUTATION: &str = "AWSManagedRulesAmazonIpReputationList";

/// All of them.
pub const EXCEPTIONS: &[Exception] = &[
    Exception {
        rules: &[COMMON, BAD_INPUTS, REPUTATION],
        paths: &[
            "/reservations/{order_id}",
            "/reservations/{order_id}/commit",
            "/reservations/{order_id}/release",
        ],
        treatment: Treatment::ScopedDown,
        reason: "Only roles of this stack get past the gateway here (SigV4). Their requests come from Lambda's addresses, \
                 which other customers use too and may ruin the reputation of; and AWS gives out new versions of its rules \
                 by itself, none of which may stop orders.",
    },
    Exception {
        rules: &[COMMON, BAD_INPUTS, REPUTATION],
        paths: &["/webhooks/stripe"],
        treatment: Treatment::ScopedDown,
        reason: "The function looks at nothing before Stripe's HMAC over the body holds. Events are 2 to 20 KB, and hold what \
                 people typed elsewhere in the same Stripe account: URLs, markup, paths. Stripe sends a refused event again \
                 for three days and then turns the endpoint off.",
    },
    Exception {
        rules: &[REPUTATION],
        paths: &["/products/{sku}"],
        treatment: Treatment::ScopedDown,
        reason: "Invoices and the search read products from Lambda's shared addresses.",
    },
    Exception {
        rules: &["SizeRestrictions_BODY"],
        paths: &["/orders", "/partner/orders", "/me"],
        treatment: Treatment::Counted,
        reason: "Fifty lines are 6 KB without white space and 15 with it; ten addresses in Chinese are 20. Bodies above \
                 64 KB are refused by the functions (413), and up to there all other rules inspect them.",
    },
    Exception {
        rules: &["EC2MetaDataSSRF_BODY", "GenericLFI_BODY", "GenericRFI_BODY"],
        paths: &["/webhooks", "/webhooks/{webhook_id}"],
        treatment: Treatment::Counted,
        reason: "A URL is what the route is for. The function takes names of public hosts alone, which is stricter, and its \
                 answer says what is wrong; the local test receiver is http://127.0.0.1.",
    },
    Exception {
        rules: &["CrossSiteScripting_BODY"],
        paths: &["/products/{sku}"],
        treatment: Treatment::Counted,
        reason: "The name of a product may have markup in it, a mug with <script> on it say. It comes from staff, and whatever \
                 shows it escapes it.",
    },
    Exception {
        rules: &["RestrictedExtensions_URIPATH", "ExploitablePaths_URIPATH"],
        paths: &["/products/{sku}", "/products/{sku}/image", "/products/{sku}/deliveries/{delivery_id}"],
        treatment: Treatment::Counted,
        reason: "SKUs and ids of deliveries are names with dots in them: CABLE.LOG, web.config, .env. They are keys of tables, \
                 never names of files.",
    },
    Exception {
        rules: &["RestrictedExtensions_QUERYARGUMENTS"],
        paths: &["/orders", "/partner/orders", "/search/orders", "/partner/search/orders"],
        treatment: Treatment::Counted,
        reason: "So are the ids of customers (`customer_id`), and a SKU or an address such as ada@mail.pass can be searched for.",
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
        reason: "What is searched for may be anything that was written somewhere, and 200 characters are up to 2.4 KB in a \
                 URL. It is cut into words and compared, and comes back in no answer.",
    },
];

impl Exception {
    /// Why a rule is not enforced on a route, if it is not.
    pub fn find(group: &Group, rule: &Rule, route: &Route) -> Option<&'static Self> {
        EXCEPTIONS.iter().find(|exception| {
            exception.paths.contains(&route.path.as_str())
                && exception.rules.iter().any(|name| [group.name, rule.name].contains(name))
        })
    }
}
