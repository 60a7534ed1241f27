//! The rules of the AWS managed rule groups that the web ACL uses, as AWS documents them.
//!
//! Sources, as of 2026:
//! <https://docs.aws.amazon.com/waf/latest/developerguide/aws-managed-rule-groups-baseline.html> and
//! <https://docs.aws.amazon.com/waf/latest/developerguide/aws-managed-rule-groups-ip-rep.html>. Where the
//! documentation gives an example, it is the first pattern; the others are of the same kind, from public rule
//! sets.

use crate::condition::{Condition, Part};

/// An AWS managed rule group.
#[derive(Debug)]
pub struct Group {
    /// The name in `ManagedRuleGroupStatement`.
    pub name: &'static str,
    /// The capacity in web ACL capacity units (WCU).
    pub capacity: u32,
    /// The prefix of its labels.
    pub namespace: &'static str,
    /// The rules, in order of evaluation.
    pub rules: &'static [Rule],
}

/// A managed rule.
#[derive(Debug)]
pub struct Rule {
    /// The name in `RuleActionOverrides`.
    pub name: &'static str,
    /// The last part of the label that it adds.
    pub label: &'static str,
    /// The condition that a request has to match.
    pub condition: Condition,
    /// Whether its default action is Count.
    pub is_count_only: bool,
}

const fn rule(name: &'static str, label: &'static str, condition: Condition) -> Rule {
    Rule { name, label, condition, is_count_only: false }
}

/// `http://`, `https://`, `ftp://`, `ftps://`, `file://` with an IPv4 address as the host.
const REMOTE_FILE: &[&str] = &[r"(https?|ftps?|file)://[^/?#]*\b\d{1,3}(\.\d{1,3}){3}\b"];
const LOCAL_FILE: &[&str] =
    &[r"\.\.[/\\]", r"/etc/(passwd|shadow|group|hosts)", r"/proc/self", r"c:\\windows", r"boot\.ini"];
const METADATA: &[&str] = &[
    r"169\.254\.169\.254",
    r"latest/(meta-data|user-data|dynamic)",
    r"fd00:ec2::254",
    r"instance-data\b",
    r"2852039166",
    r"0xa9fea9fe",
];
const EXTENSIONS: &[&str] = &[
    r"\.(log|ini)\b",
    r"\.(asa|asax|ascx|axd|backup|bak|bat|cdx|cer|cfg|cmd|com|conf|config|cs|csproj|csr|dat|db|dbf|dll|dos|htr|htw|ida|idc|idq)\b",
    r"\.(inc|key|licx|lnk|mdb|old|pass|pdb|pol|printer|pwd|rdb|resources|resx|sql|swp|sys|vb|vbproj|vbs|vsdisco|webinfo|xsd|xsx)\b",
];
const SCRIPT: &[&str] = &[
    r"<\s*/?\s*script",
    r"<\s*(iframe|object|embed|applet|meta|link|style|base|form|svg|math|frame|frameset|img|body|input|video|audio)\b",
    r"\bon(error|load|click|focus|blur|mouse\w+|key\w+|submit|toggle|begin)\s*=",
    r"(javascript|vbscript)\s*:",
    r"data:text/html",
    r"expression\s*\(",
];
const JAVA: &[&str] = &[
    r"java\.lang\.(runtime|processbuilder|class)",
    r"getruntime\s*\(",
    r"class(\.|\[.?)module",
    r"classloader",
    r"spring\.cloud\.function\.routing-expression",
    r"\bt\(java",
    r"ro0abx",
];
const LOG4J: &[&str] = &[r"\$\{jndi:", r"\$\{[^}]*(jndi|lower|upper|env|sys|ctx|::-)"];
const BOTS: &[&str] = &[
    "nessus",
    "nmap",
    "nikto",
    "sqlmap",
    "masscan",
    "zgrab",
    "wpscan",
    "acunetix",
    "dirbuster",
    "havij",
    "openvas",
    "gobuster",
];
const EXPLOITABLE: &[&str] = &[
    "web-inf",
    "meta-inf",
    r"/\.(git|svn|env|aws|ssh|ht\w+)\b",
    "wp-(admin|login|config)",
    "phpmyadmin",
    "cgi-bin",
    "/actuator",
    "/console",
];
const REACT: &[&str] =
    &["__proto__", r#""?constructor"?\s*:\s*"?constructor"#, r"\$\d+:constructor", r"process\.mainmodule"];

/// The rule groups.
pub const GROUPS: &[Group] = &[
    Group {
        name: "AWSManagedRulesAmazonIpReputationList",
        capacity: 25,
        namespace: "awswaf:managed:aws:amazon-ip-list:",
        rules: &[
            rule("AWSManagedIPReputationList", "AWSManagedIPReputationList", Condition::IpListed),
            rule("AWSManagedReconnaissanceList", "AWSManagedReconnaissanceList", Condition::IpListed),
            Rule {
                name: "AWSManagedIPDDoSList",
                label: "AWSManagedIPDDoSList",
                condition: Condition::IpListed,
                is_count_only: true,
            },
        ],
    },
    Group {
        name: "AWSManagedRulesCommonRuleSet",
        capacity: 700,
        namespace: "awswaf:managed:aws:core-rule-set:",
        rules: &[
            rule("NoUserAgent_HEADER", "NoUserAgent_Header", Condition::HeaderMissing("user-agent")),
            rule(
                "UserAgent_BadBots_HEADER",
                "BadBots_Header",
                Condition::MatchesAny(Part::Header("user-agent"), BOTS),
            ),
            rule(
                "SizeRestrictions_QUERYSTRING",
                "SizeRestrictions_QueryString",
                Condition::LargerThan(Part::Query, 2048),
            ),
            rule(
                "SizeRestrictions_Cookie_HEADER",
                "SizeRestrictions_Cookie_Header",
                Condition::LargerThan(Part::Cookies, 10_240),
            ),
            rule("SizeRestrictions_BODY", "SizeRestrictions_Body", Condition::LargerThan(Part::Body, 8192)),
            rule(
                "SizeRestrictions_URIPATH",
                "SizeRestrictions_URIPath",
                Condition::LargerThan(Part::Path, 1024),
            ),
            rule("EC2MetaDataSSRF_BODY", "EC2MetaDataSSRF_Body", Condition::MatchesAny(Part::Body, METADATA)),
            rule(
                "EC2MetaDataSSRF_COOKIE",
                "EC2MetaDataSSRF_Cookie",
                Condition::MatchesAny(Part::Cookies, METADATA),
            ),
            rule(
                "EC2MetaDataSSRF_URIPATH",
                "EC2MetaDataSSRF_URIPath",
                Condition::MatchesAny(Part::Path, METADATA),
            ),
            rule(
                "EC2MetaDataSSRF_QUERYARGUMENTS",
                "EC2MetaDataSSRF_QueryArguments",
                Condition::MatchesAny(Part::QueryArguments, METADATA),
            ),
            rule(
                "GenericLFI_QUERYARGUMENTS",
                "GenericLFI_QueryArguments",
                Condition::MatchesAny(Part::QueryArguments, LOCAL_FILE),
            ),
            rule("GenericLFI_URIPATH", "GenericLFI_URIPath", Condition::MatchesAny(Part::Path, LOCAL_FILE)),
            rule("GenericLFI_BODY", "GenericLFI_Body", Condition::MatchesAny(Part::Body, LOCAL_FILE)),
            rule(
                "RestrictedExtensions_URIPATH",
                "RestrictedExtensions_URIPath",
                Condition::MatchesAny(Part::Path, EXTENSIONS),
            ),
            rule(
                "RestrictedExtensions_QUERYARGUMENTS",
                "RestrictedExtensions_QueryArguments",
                Condition::MatchesAny(Part::QueryArguments, EXTENSIONS),
            ),
            rule(
                "GenericRFI_QUERYARGUMENTS",
                "GenericRFI_QueryArguments",
                Condition::MatchesAny(Part::QueryArguments, REMOTE_FILE),
            ),
            rule("GenericRFI_BODY", "GenericRFI_Body", Condition::MatchesAny(Part::Body, REMOTE_FILE)),
            rule("GenericRFI_URIPATH", "GenericRFI_URIPath", Condition::MatchesAny(Part::Path, REMOTE_FILE)),
            rule(
                "CrossSiteScripting_COOKIE",
                "CrossSiteScripting_Cookie",
                Condition::MatchesAny(Part::Cookies, SCRIPT),
            ),
            rule(
                "CrossSiteScripting_QUERYARGUMENTS",
                "CrossSiteScripting_QueryArguments",
                Condition::MatchesAny(Part::QueryArguments, SCRIPT),
            ),
            rule(
                "CrossSiteScripting_BODY",
                "CrossSiteScripting_Body",
                Condition::MatchesAny(Part::Body, SCRIPT),
            ),
            rule(
                "CrossSiteScripting_URIPATH",
                "CrossSiteScripting_URIPath",
                Condition::MatchesAny(Part::Path, SCRIPT),
            ),
        ],
    },
    Group {
        name: "AWSManagedRulesKnownBadInputsRuleSet",
        capacity: 200,
        namespace: "awswaf:managed:aws:known-bad-inputs:",
        rules: &[
            rule(
                "JavaDeserializationRCE_HEADER",
                "JavaDeserializationRCE_Header",
                Condition::MatchesAny(Part::Headers, JAVA),
            ),
            rule(
                "JavaDeserializationRCE_BODY",
                "JavaDeserializationRCE_Body",
                Condition::MatchesAny(Part::Body, JAVA),
            ),
            rule(
                "JavaDeserializationRCE_URIPATH",
                "JavaDeserializationRCE_URIPath",
                Condition::MatchesAny(Part::Path, JAVA),
            ),
            rule(
                "JavaDeserializationRCE_QUERYSTRING",
                "JavaDeserializationRCE_QueryString",
                Condition::MatchesAny(Part::Query, JAVA),
            ),
            rule(
                "Host_localhost_HEADER",
                "Host_Localhost_Header",
                Condition::MatchesAny(Part::Header("host"), &["localhost", r"^127\.", r"^\[::1\]"]),
            ),
            rule("PROPFIND_METHOD", "Propfind_Method", Condition::MatchesAny(Part::Method, &["^propfind$"])),
            rule(
                "ExploitablePaths_URIPATH",
                "ExploitablePaths_URIPath",
                Condition::MatchesAny(Part::Path, EXPLOITABLE),
            ),
            rule("Log4JRCE_HEADER", "Log4JRCE_Header", Condition::MatchesAny(Part::Headers, LOG4J)),
            rule("Log4JRCE_QUERYSTRING", "Log4JRCE_QueryString", Condition::MatchesAny(Part::Query, LOG4J)),
            rule("Log4JRCE_BODY", "Log4JRCE_Body", Condition::MatchesAny(Part::Body, LOG4J)),
            rule("Log4JRCE_URIPATH", "Log4JRCE_URIPath", Condition::MatchesAny(Part::Path, LOG4J)),
            rule("ReactJSRCE_BODY", "ReactJSRCE_Body", Condition::MatchesAny(Part::Body, REACT)),
        ],
    },
];

impl Group {
    /// Returns the group with this name.
    pub fn by_name(name: &str) -> Option<&'static Self> {
        GROUPS.iter().find(|group| group.name == name)
    }
}

/// Returns all rules, with their groups.
pub fn all_rules() -> impl Iterator<Item = (&'static Group, &'static Rule)> {
    GROUPS.iter().flat_map(|group| group.rules.iter().map(move |rule| (group, rule)))
}
