//! Every link between the documents leads somewhere.

use std::fs;
use std::path::{Path, PathBuf};

use openfaas_tests::tools::repository;

#[test]
fn every_link_between_documents_leads_to_a_file_and_a_heading() {
    let documents = documents();
    assert!(
        documents.len() >= 3,
        "the documents were not found: {documents:?}"
    );
    let broken: Vec<String> = documents
        .iter()
        .flat_map(|document| broken_links(document))
        .collect();
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

/// The Markdown files of the root and of docs/.
fn documents() -> Vec<PathBuf> {
    [repository().to_owned(), repository().join("docs")]
        .iter()
        .flat_map(|folder| fs::read_dir(folder).expect("a folder that can be read"))
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "md"))
        .collect()
}

fn broken_links(document: &Path) -> Vec<String> {
    let text = fs::read_to_string(document).expect("a document that can be read");
    let name = document.file_name().unwrap_or_default().display();
    links(&text)
        .into_iter()
        .filter(|link| !link.contains("://") && !link.starts_with("mailto:"))
        .filter(|link| !leads_somewhere(document, &text, link))
        .map(|link| format!("{name}: {link}"))
        .collect()
}

fn leads_somewhere(document: &Path, text: &str, link: &str) -> bool {
    let (file, anchor) = link.split_once('#').unwrap_or((link, ""));
    if file.is_empty() {
        return has_heading(text, anchor);
    }
    let target = document.with_file_name(file);
    if anchor.is_empty() || target.extension().is_none_or(|extension| extension != "md") {
        return target.exists();
    }
    fs::read_to_string(target).is_ok_and(|text| has_heading(&text, anchor))
}

/// What stands in the parentheses of `[…](…)`, code blocks and code spans left out.
fn links(text: &str) -> Vec<String> {
    prose(text)
        .flat_map(|line| {
            let without_code: String = line.split('`').step_by(2).collect();
            let targets = without_code
                .split("](")
                .skip(1)
                .filter_map(|rest| rest.split_once(')'));
            targets
                .map(|(target, _)| target.to_owned())
                .collect::<Vec<_>>()
        })
        .collect()
}

/// Whether a heading has that anchor, as GitHub makes it: lower case, spaces become dashes, other signs go.
fn has_heading(text: &str, anchor: &str) -> bool {
    prose(text)
        .filter(|line| line.starts_with('#'))
        .any(|line| {
            let heading = line.trim_start_matches('#').trim().to_lowercase();
            let made: String = heading
                .chars()
                .filter(|sign| sign.is_alphanumeric() || matches!(sign, ' ' | '-' | '_'))
                .map(|sign| if sign == ' ' { '-' } else { sign })
                .collect();
            made == anchor
        })
}

fn prose(text: &str) -> impl Iterator<Item = &str> {
    let mut in_code = false;
    text.lines().filter(move |line| {
        let fence = line.trim_start().starts_with("```");
        in_code ^= fence;
        !in_code && !fence
    })
}

#[test]
fn links_in_code_are_none() {
    assert_eq!(
        links("see [a](b.md) and `[c](d.md)`\n```text\n[e](f.md)\n```\n"),
        ["b.md"]
    );
}

#[test]
fn headings_make_anchors() {
    assert!(has_heading(
        "# What comes in, and out\n",
        "what-comes-in-and-out"
    ));
    assert!(!has_heading("```text\n# a\n```\n", "a"));
}
