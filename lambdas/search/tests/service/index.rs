//! `index-order`: what the stream tells.

use std::sync::Arc;
use std::time::Duration;

use platform::Clock;
use platform::host::record::DeadLetters;
use platform::host::stream::{Change, StreamHost};
use platform::memory::Queue;
use search::adapters::memory::{InMemoryIndex, InMemoryNames};
use search::image::OrderImage;
use search::index_order::IndexOrder;
use search::store::OrderIndex;
use serde_json::{Value, json};

use crate::support::{clock, everybodys, image, numbers, order_id, sku};

struct Service {
    index: Arc<InMemoryIndex>,
    names: Arc<InMemoryNames>,
    letters: Arc<Queue>,
    host: StreamHost<IndexOrder>,
}

fn service() -> Service {
    let (index, names, letters) =
        (Arc::<InMemoryIndex>::default(), Arc::<InMemoryNames>::default(), Arc::<Queue>::default());
    let handler = IndexOrder { index: index.clone(), names: names.clone() };
    let host = StreamHost {
        function: "index-order",
        handler,
        dead_letters: letters.clone() as Arc<dyn DeadLetters>,
        clock: clock() as Arc<dyn Clock>,
    };
    Service { index, names, letters, host }
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
        numbers(&self.index.search(&everybodys(words)).await.unwrap())
    }
}

#[tokio::test]
async fn images_are_indexed_with_the_names_of_products() {
    let service = service();
    service.names.name(&sku("TEA-002"), "Earl Grey".parse().unwrap());
    assert_eq!(service.batch(vec![written(&image(1, 1)), written(&image(2, 1))]).await, None);
    assert_eq!(service.found("earl").await, [2, 1]);
    assert_eq!(service.found("darjeeling").await, [0; 0]);
    // A name that is found out later comes with the next image; duplicates and late ones change nothing.
    service.names.name(&sku("TEA-001"), "Darjeeling".parse().unwrap());
    let changes = vec![written(&image(1, 3)), written(&image(1, 2)), written(&image(1, 3))];
    assert_eq!(service.batch(changes).await, None);
    assert_eq!(service.found("darjeeling earl").await, [1]);
    assert_eq!(service.index.documents()[&order_id(1)].version, 3);
}

#[tokio::test]
async fn a_deleted_order_is_found_no_more() {
    let service = service();
    let mut gone = written(&image(1, 1));
    gone.new_image = None;
    let changes = vec![written(&image(1, 1)), written(&image(2, 1)), gone, written(&image(1, 2))];
    assert_eq!(service.batch(changes).await, None);
    assert_eq!(service.found("").await, [2]);
}

#[tokio::test]
async fn what_is_not_understood_is_put_away_without_what_it_says() {
    let service = service();
    let mut wrong = written(&image(1, 1));
    wrong.new_image =
        Some(json!({ "order_id": order_id(1), "version": 1, "order": r#"{"customer": "Ada Lovelace"}"# }));
    let mut nothing = written(&image(3, 1));
    (nothing.new_image, nothing.keys) = (None, Value::Null);
    assert_eq!(service.batch(vec![wrong, nothing, written(&image(2, 1))]).await, None);
    assert_eq!(service.found("").await, [2]);
    let letters = service.letters.dead_letters();
    assert_eq!(letters.iter().map(|letter| letter.kind).collect::<Vec<_>>(), ["poison", "poison"]);
    assert!(letters[0].body.contains(&order_id(1).to_string()));
    assert!(letters.iter().all(|letter| !format!("{letter:?}").contains("Lovelace")), "{letters:?}");
}

#[tokio::test]
async fn an_index_that_fails_has_the_change_come_again() {
    let service = service();
    service.index.failures.fail_next(1);
    let (one, two) = (written(&image(1, 1)), written(&image(2, 1)));
    assert_eq!(service.batch(vec![one.clone(), two.clone()]).await, Some(one.sequence_number.clone()));
    assert_eq!(service.batch(vec![one, two]).await, None);
    assert_eq!(service.found("").await, [2, 1]);
}
