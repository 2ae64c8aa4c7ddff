//! The engines that an index may have: the embedded one always, and a Meilisearch where there is one.

use std::{env, sync::Arc};

use projections::search::{Embedded, Index, Meili, Synonyms};
use store::ports::Machine;
use uuid::Uuid;

/// Makes an index of the test's own.
pub type Make = fn() -> Arc<dyn Index>;

pub fn embedded() -> Arc<dyn Index> {
    Arc::new(Embedded::in_memory(Synonyms::default()))
}

/// In the Meilisearch at `MEILI_URL`, if there is one.
pub fn meilisearch() -> Option<Make> {
    env::var("MEILI_URL").ok()?;
    Some(|| Arc::new(meili(&format!("t{}", Uuid::now_v7().simple()))))
}

/// The index of that name there.
pub fn meili(uid: &str) -> Meili {
    let (url, key) = (env::var("MEILI_URL").unwrap(), env::var("MEILI_MASTER_KEY").ok());
    Meili::new(&url, key.as_deref(), uid, Synonyms::default(), Arc::new(Machine)).unwrap()
}

/// Runs each of the functions on every engine.
macro_rules! on_every_engine {
    ($($name:ident,)+) => {
        mod embedded {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $name() {
                super::$name(crate::engines::embedded).await;
            })+
        }

        mod meilisearch {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $name() {
                match crate::engines::meilisearch() {
                    Some(make) => super::$name(make).await,
                    None => println!("not run: MEILI_URL is not set"),
                }
            })+
        }
    };
}

pub(crate) use on_every_engine;
