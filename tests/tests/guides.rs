//! The guides, followed step by step.

use openfaas_tests::guide::Reader;

#[test]
fn the_guide_to_testing_shows_tests_that_there_are() {
    let folder = tempfile::tempdir().unwrap();
    Reader::new(folder.path()).follow("docs/testing.md");
}
