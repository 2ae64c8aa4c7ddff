//! The embedded index in its directory: what is still true is kept, everything else is filled anew.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use projections::search::{Embedded, Index, IndexError, Marker, Synonyms};
use store::testing::eventually;
use uuid::Uuid;

use crate::shelf::{all, at, expect, fill, product, words};

/// A directory of the test's own, removed at its end.
pub struct Directory(pub PathBuf);

impl Directory {
    pub fn new() -> Self {
        Self(std::env::temp_dir().join(format!("daybook-index-{}", Uuid::now_v7().simple())))
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

pub fn open(directory: &Path) -> Arc<dyn Index> {
    Arc::new(Embedded::at(directory, Synonyms::default()).unwrap())
}

/// The generations that there are, the oldest first.
pub fn generations(directory: &Path) -> Vec<u64> {
    let entries = fs::read_dir(directory).into_iter().flatten();
    let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    let mut generations: Vec<u64> = names.filter_map(|name| name.parse().ok()).collect();
    generations.sort_unstable();
    generations
}

#[tokio::test(flavor = "multi_thread")]
async fn the_next_process_keeps_the_text_and_adds_what_is_missing() {
    let home = Directory::new();
    let index = open(&home.0);
    fill(&index, &[product(1, "Lamp"), product(2, "Mug")], at(2)).await;
    index.write(vec![product(3, "Chair")], vec![], &at(3)).await.unwrap();
    drop(index);
    let index = open(&home.0);
    assert_eq!(index.marker().await.unwrap(), None, "nothing is in memory yet");
    let documents = [product(1, "Lamp"), product(2, "Mug"), product(3, "Chair"), product(5, "Sofa")];
    fill(&index, &documents, at(5)).await;
    expect(&index, all(), &[5, 3, 2, 1]).await;
    expect(&index, words("chair"), &[3]).await;
    expect(&index, words("sofa"), &[5]).await;
    assert_eq!(generations(&home.0), [1], "the same generation");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_of_another_life_or_later_than_the_read_model_is_filled_anew() {
    let later = Marker { position: 2, ..at(2) };
    for other in [
        Marker { life: "two".to_owned(), ..at(9) },
        Marker { incarnation: Some(Uuid::from_u128(8)), ..at(9) },
        Marker { format: 2, ..at(9) },
        Marker { position: 1, ..later },
    ] {
        let home = Directory::new();
        let index = open(&home.0);
        fill(&index, &[product(1, "Lamp"), product(2, "Mug")], at(2)).await;
        drop(index);
        let index = open(&home.0);
        fill(&index, &[product(1, "Chair")], other.clone()).await;
        expect(&index, words("chair"), &[1]).await;
        expect(&index, words("mug"), &[]).await;
        assert_eq!(index.marker().await.unwrap(), Some(other));
        assert_eq!(generations(&home.0), [2]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_index_is_filled_anew() {
    let documents = [product(1, "Lamp"), product(2, "Mug")];
    for damage in [
        // Every file is cut in half.
        (|path: &Path| {
            fs::write(path, &fs::read(path).unwrap()[..fs::read(path).unwrap().len() / 2]).unwrap()
        }) as fn(&Path),
        |path| {
            let mut bytes = fs::read(path).unwrap();
            let middle = bytes.len() / 2;
            if let Some(byte) = bytes.get_mut(middle) {
                *byte ^= 0xff;
            }
            fs::write(path, bytes).unwrap();
        },
        |path| fs::remove_file(path).unwrap(),
    ] {
        let home = Directory::new();
        fill(&open(&home.0), &documents, at(2)).await;
        let files: Vec<_> =
            fs::read_dir(home.0.join("1")).unwrap().map(|entry| entry.unwrap().path()).collect();
        assert!(files.len() > 3);
        for file in files {
            damage(&file);
        }
        let index = open(&home.0);
        fill(&index, &documents, at(2)).await;
        expect(&index, words("lamp"), &[1]).await;
        assert_eq!(generations(&home.0), [2]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_text_of_a_product_that_is_gone_is_told_and_gone_after_the_next_fill() {
    let home = Directory::new();
    fill(&open(&home.0), &[product(1, "Lamp"), product(2, "Mug")], at(2)).await;
    let index = open(&home.0);
    let mut filling = index.fill(&at(2)).await.unwrap();
    filling.add(vec![product(1, "Lamp")]).await.unwrap();
    assert!(matches!(filling.finish(at(2)).await, Err(IndexError::Astray(_))));
    fill(&index, &[product(1, "Lamp")], at(2)).await;
    expect(&index, all(), &[1]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_directory_that_is_wiped_while_it_is_in_use_is_filled_anew() {
    let home = Directory::new();
    let index = open(&home.0);
    fill(&index, &[product(1, "Lamp")], at(1)).await;
    fs::remove_dir_all(&home.0).unwrap();
    expect(&index, words("lamp"), &[1]).await;
    assert!(index.write(vec![product(2, "Mug")], vec![], &at(2)).await.is_err());
    fill(&index, &[product(1, "Lamp"), product(2, "Mug")], at(2)).await;
    expect(&index, words("mug"), &[2]).await;
    index.write(vec![product(3, "Mug")], vec![], &at(3)).await.unwrap();
    expect(&index, words("mug"), &[3, 2]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_processes_never_have_one_directory() {
    let home = Directory::new();
    let first = Embedded::at(&home.0, Synonyms::default()).unwrap();
    let second = Embedded::at(&home.0, Synonyms::default());
    assert!(matches!(second, Err(IndexError::Locked(path)) if path == home.0));
    let beside = Directory(PathBuf::from(format!("{}-2", home.0.display())));
    let near = Embedded::near(&home.0, Synonyms::default()).unwrap();
    assert!(beside.0.join("lock").exists());
    drop((first, near));
    assert!(Embedded::at(&home.0, Synonyms::default()).is_ok());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fill_that_was_given_up_leaves_nothing_on_the_disk() {
    let home = Directory::new();
    let index = open(&home.0);
    fill(&index, &[product(1, "Lamp")], at(1)).await;
    for _ in 0..3 {
        let mut filling = index.fill(&at(2)).await.unwrap();
        filling.add(vec![product(1, "Lamp"), product(2, "Mug")]).await.unwrap();
        drop(filling);
    }
    eventually("only what answers is left", async || (generations(&home.0) == [1]).then_some(())).await;
    expect(&index, words("lamp"), &[1]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_whose_directory_was_wiped_has_it_for_itself_again() {
    let home = Directory::new();
    let index = open(&home.0);
    fill(&index, &[product(1, "Lamp")], at(1)).await;
    fs::remove_dir_all(&home.0).unwrap();
    fill(&index, &[product(1, "Lamp")], at(1)).await;
    let second = Embedded::at(&home.0, Synonyms::default());
    assert!(matches!(second, Err(IndexError::Locked(_))));
    // Another process that was faster keeps it.
    fs::remove_dir_all(&home.0).unwrap();
    let faster = Embedded::at(&home.0, Synonyms::default()).unwrap();
    assert!(matches!(index.fill(&at(2)).await, Err(IndexError::Locked(_))));
    expect(&index, words("lamp"), &[1]).await;
    drop(faster);
    fill(&index, &[product(2, "Mug")], at(2)).await;
    expect(&index, words("mug"), &[2]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn any_one_file_may_be_damaged_anywhere() {
    let documents = [product(1, "Lamp"), product(2, "Mug")];
    let home = Directory::new();
    fill(&open(&home.0), &documents, at(2)).await;
    let files: Vec<_> = fs::read_dir(home.0.join("1"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_none_or(|extension| extension != "lock"))
        .map(|path| (path.file_name().unwrap().to_owned(), fs::read(path).unwrap()))
        .collect();
    for (damaged, whole) in &files {
        let length = whole.len();
        let places = [0, 1, length / 3, length / 2, length.saturating_sub(20), length.saturating_sub(1)];
        let flipped = places.iter().map(|at| {
            let mut bytes = whole.clone();
            bytes[*at] ^= 0x55;
            bytes
        });
        let cut = places.iter().map(|at| whole[..*at].to_vec());
        let longer = [[&whole[..], b"x"].concat()];
        for bytes in flipped.chain(cut).chain(longer) {
            let again = Directory::new();
            fs::create_dir_all(again.0.join("1")).unwrap();
            fs::write(again.0.join("current"), "1").unwrap();
            for (name, whole) in &files {
                fs::write(again.0.join("1").join(name), if name == damaged { &bytes } else { whole })
                    .unwrap();
            }
            let index = open(&again.0);
            fill(&index, &documents, at(2)).await;
            expect(&index, words("lamp"), &[1]).await;
            index.write(vec![product(3, "Lamp")], vec![], &at(3)).await.unwrap();
            expect(&index, words("lamp"), &[3, 1]).await;
        }
    }
}
