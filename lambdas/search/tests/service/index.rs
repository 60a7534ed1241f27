//! `index-order`: indexing the changes from the stream.

use std::sync::Arc;
use std::time::Duration;

use platform::Clock;
use platform::host::stream::{Change, StreamHost};
use platform::memory::Queue;
use platform::queue::DeadLetters;
use search::adapters::memory::{InMemoryIndex, InMemoryNames};
use search::image::OrderImage;
use search::index_order::IndexOrder;
use search::store::OrderIndex;
use serde_json::{Value, json};

use crate::support::{clock, image, numbers, order_id, sku, unrestricted_query};

struct Service {
    index: Arc<InMemoryIndex>,
    names: Arc<InMemoryNames>,
    dead_letters: Arc<Queue>,
    host: StreamHost<IndexOrder>,
}

fn service() -> Service {
    let (index, names, dead_letters) =
        (Arc::<InMemoryIndex>::default(), Arc::<InMemoryNames>::default(), Arc::<Queue>::default());
    let handler = IndexOrder { index: index.clone(), names: names.clone() };
    let host = StreamHost {
        function: "index-order",
        handler,
        dead_letters: dead_letters.clone() as Arc<dyn DeadLetters>,
        clock: clock() as Arc<dyn Clock>,
    };
    Service { index, names, dead_letters, host }
}

fn written(image: &OrderImage) -> Change {
    let id = image.order.id.to_string();
    Change {
        sequence_number: format!("{id}-{}", image.version),
        keys: json!({ "order_id": id }),
        new_image: Some(json!({
            "order_id": id, "version": image.version, "order": serde_json::to_string(&image.order).unwrap(),
            "open_shard": "open#1",
        })),
    }
}

impl Service {
    async fn batch(&self, changes: Vec<Change>) -> Option<String> {
        self.host.handle_batch(changes, Duration::from_secs(10), "lambda-1").await
    }

    async fn found(&self, words: &str) -> Vec<u32> {
        numbers(&self.index.search(&unrestricted_query(words)).await.unwrap())
    }
}

#[tokio::test]
async fn images_are_indexed_with_product_names() {
    let service = service();
    service.names.set_name(&sku("TEA-002"), "Earl Grey".parse().unwrap());
    assert_eq!(service.batch(vec![written(&image(1, 1)), written(&image(2, 1))]).await, None);
    assert_eq!(service.found("earl").await, [2, 1]);
    assert_eq!(service.found("darjeeling").await, [0; 0]);
    // A name that becomes available is indexed with the next image; duplicate and outdated images change
    // nothing.
    service.names.set_name(&sku("TEA-001"), "Darjeeling".parse().unwrap());
    let changes = vec![written(&image(1, 3)), written(&image(1, 2)), written(&image(1, 3))];
    assert_eq!(service.batch(changes).await, None);
    assert_eq!(service.found("darjeeling earl").await, [1]);
    assert_eq!(service.index.documents()[&order_id(1)].version, 3);
}

#[tokio::test]
async fn a_deleted_order_is_no_longer_found() {
    let service = service();
    let mut deleted = written(&image(1, 1));
    deleted.new_image = None;
    let changes = vec![written(&image(1, 1)), written(&image(2, 1)), deleted, written(&image(1, 2))];
    assert_eq!(service.batch(changes).await, None);
    assert_eq!(service.found("").await, [2]);
}

#[tokio::test]
async fn an_invalid_change_is_sent_to_the_dlq_without_its_contents() {
    let service = service();
    let mut wrong = written(&image(1, 1));
    wrong.new_image =
        Some(json!({ "order_id": order_id(1), "version": 1, "order": r#"{"customer": "Ada Lovelace"}"# }));
    let mut empty = written(&image(3, 1));
    (empty.new_image, empty.keys) = (None, Value::Null);
    assert_eq!(service.batch(vec![wrong, empty, written(&image(2, 1))]).await, None);
    assert_eq!(service.found("").await, [2]);
    let messages = service.dead_letters.dead_letters();
    assert_eq!(messages.iter().map(|message| message.kind).collect::<Vec<_>>(), ["poison", "poison"]);
    assert!(messages[0].body.contains(&order_id(1).to_string()));
    assert!(messages.iter().all(|message| !format!("{message:?}").contains("Lovelace")), "{messages:?}");
}

#[tokio::test]
async fn a_change_is_retried_after_the_index_fails() {
    let service = service();
    service.index.failures.fail_next(1);
    let (one, two) = (written(&image(1, 1)), written(&image(2, 1)));
    assert_eq!(service.batch(vec![one.clone(), two.clone()]).await, Some(one.sequence_number.clone()));
    assert_eq!(service.batch(vec![one, two]).await, None);
    assert_eq!(service.found("").await, [2, 1]);
}
