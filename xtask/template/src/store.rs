//! Expands tables and buckets into resources with common settings.

use crate::source::{Bucket, Index, Table};
use crate::yaml::Node;

impl Table {
    /// The CloudFormation resource of the table.
    pub(crate) fn resource(&self) -> Node {
        let mut attributes: Vec<&String> =
            self.key.iter().chain(self.indexes.iter().flat_map(|it| &it.key)).collect();
        let mut known: Vec<&String> = Vec::new();
        attributes.retain(|name| {
            !known.contains(name) && {
                known.push(name);
                true
            }
        });
        let kind = |name: &str| if self.numbers.iter().any(|number| number == name) { "N" } else { "S" };
        let definition = |name: &&String| {
            Node::inline([("AttributeName", Node::text(*name)), ("AttributeType", Node::text(kind(name)))])
        };
        let mut properties = vec![
            ("BillingMode", Node::text("PAY_PER_REQUEST")),
            ("AttributeDefinitions", Node::lines(attributes.iter().map(definition))),
            ("KeySchema", key_schema(&self.key)),
        ];
        if !self.indexes.is_empty() {
            properties
                .push(("GlobalSecondaryIndexes", Node::lines(self.indexes.iter().map(Index::resource))));
        }
        if let Some(view) = &self.stream {
            let mut view = view.clone();
            let above = std::mem::take(&mut view.above);
            let stream = Node::inline([("StreamViewType", view)]).with_above(above);
            properties.push(("StreamSpecification", stream));
        }
        if let Some(attribute) = &self.time_to_live {
            let mut attribute = attribute.clone();
            let above = std::mem::take(&mut attribute.above);
            let ttl = Node::inline([("AttributeName", attribute), ("Enabled", Node::literal(true))]);
            properties.push(("TimeToLiveSpecification", ttl.with_above(above)));
        }
        if !self.rebuildable {
            let choose = |condition: &str, yes: bool| {
                Node::list([Node::text(condition), Node::literal(yes), Node::literal(!yes)]).tagged("If")
            };
            properties.push(("DeletionProtectionEnabled", choose("IsProduction", true)));
            let recovery = Node::inline([("PointInTimeRecoveryEnabled", choose("IsLocal", false))]);
            properties.push(("PointInTimeRecoverySpecification", recovery));
        }
        let replace_policy = if self.rebuildable { "Delete" } else { "Retain" };
        Node::map([
            ("Type", Node::text("AWS::DynamoDB::Table")),
            ("DeletionPolicy", Node::text("Delete")),
            ("UpdateReplacePolicy", Node::text(replace_policy)),
            ("Properties", Node::map(properties)),
        ])
        .with_above(self.above.clone())
    }
}

impl Index {
    fn resource(&self) -> Node {
        Node::map([
            ("IndexName", Node::text(&self.name)),
            ("KeySchema", key_schema(&self.key)),
            ("Projection", Node::inline([("ProjectionType", self.projection.clone())])),
        ])
        .with_above(self.above.clone())
    }
}

fn key_schema(key: &[String]) -> Node {
    let kinds = ["HASH", "RANGE"];
    Node::lines(key.iter().zip(kinds).map(|(name, kind)| {
        Node::inline([("AttributeName", Node::text(name)), ("KeyType", Node::text(kind))])
    }))
}

impl Bucket {
    /// The CloudFormation resources of the bucket and of its policy, which denies requests without TLS.
    pub(crate) fn resources(&self) -> [(String, Node); 2] {
        let access_blocks =
            ["BlockPublicAcls", "BlockPublicPolicy", "IgnorePublicAcls", "RestrictPublicBuckets"];
        let one = |node: Node| Node::list([node]);
        let owner = Node::inline([("ObjectOwnership", Node::text("BucketOwnerEnforced"))]);
        let algorithm = Node::inline([("SSEAlgorithm", Node::text("AES256"))]);
        let encryption = Node::inline([("ServerSideEncryptionByDefault", algorithm)]);
        let mut properties = vec![
            (
                "PublicAccessBlockConfiguration".to_owned(),
                Node::map(access_blocks.map(|name| (name, Node::literal(true)))),
            ),
            ("OwnershipControls".to_owned(), Node::map([("Rules", one(owner))])),
            (
                "BucketEncryption".to_owned(),
                Node::map([("ServerSideEncryptionConfiguration", one(encryption))]),
            ),
        ];
        properties.extend(self.properties.iter().cloned());
        let bucket = Node::map([
            ("Type", Node::text("AWS::S3::Bucket")),
            // CloudFormation cannot delete a bucket with objects: it is retained, unless the creation of the stack failed.
            ("DeletionPolicy", Node::text("RetainExceptOnCreate")),
            ("UpdateReplacePolicy", Node::text("Retain")),
            ("Properties", Node::map(properties)),
        ])
        .with_above(self.above.clone());
        let id = &self.id;
        let statement = Node::map([
            ("Sid", Node::text("OnlyOverTls")),
            ("Effect", Node::text("Deny")),
            ("Principal", Node::text("*")),
            ("Action", Node::text("s3:*")),
            ("Resource", Node::list([Node::attribute(id, "Arn"), Node::sub(format!("${{{id}.Arn}}/*"))])),
            (
                "Condition",
                Node::inline([("Bool", Node::inline([("aws:SecureTransport", Node::text("false"))]))]),
            ),
        ]);
        let policy = Node::map([
            ("Type", Node::text("AWS::S3::BucketPolicy")),
            // The local stack has no HTTPS.
            ("Condition", Node::text("IsOnAws")),
            (
                "Properties",
                Node::map([
                    ("Bucket", Node::reference(id)),
                    ("PolicyDocument", policy_document([statement])),
                ]),
            ),
        ]);
        [(id.clone(), bucket), (format!("{id}Policy"), policy)]
    }
}

/// An IAM policy document.
pub(crate) fn policy_document(statements: impl IntoIterator<Item = Node>) -> Node {
    Node::map([("Version", Node::text("2012-10-17")), ("Statement", Node::lines(statements))])
}
