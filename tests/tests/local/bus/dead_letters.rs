//! `dead-letters`: list, show, redrive.

use http::Method;
use openfaas_tests::runner::until;
use serde_json::{Value, json};

use super::chain::{followed, ledger, runner, said, visit};

#[tokio::test]
async fn a_dead_letter_is_listed_shown_and_put_back_for_its_function_alone() {
    let runner = runner();
    let (found, code) = followed(
        &runner,
        &[
            "a",
            "--data",
            "hello",
            "--type",
            "status.422",
            "--id",
            "bad",
        ],
    );
    assert_eq!(code, Some(1), "{found}");
    let first = visit(&found["paths"][0], "first");
    assert_eq!(first["verdict"], "dead-letter");
    assert_eq!(first["attempts"].as_array().unwrap().len(), 1);
    let (found, _) = followed(&runner, &["b", "--type", "status.500", "--id", "worse"]);
    let second = visit(&found["paths"][0], "second");
    assert_eq!(second["attempts"].as_array().unwrap().len(), 3, "{second}");

    let (list, code) = said(&runner, &["dead-letters", "list", "first", "--json"]);
    assert_eq!(code, Some(0));
    let list: Value = serde_json::from_str(&list).unwrap();
    assert_eq!(list.as_array().unwrap().len(), 1);
    let letter = &list[0];
    assert_eq!(
        (&letter["id"], &letter["notes"]["function"]),
        (&json!("bad"), &json!("first"))
    );
    let name = format!("{}@{}", letter["topic"].as_str().unwrap(), letter["offset"]);
    let (table, _) = said(&runner, &["dead-letters", "list"]);
    assert_eq!(
        table.lines().count(),
        4,
        "bad for two functions, worse for one: {table}"
    );
    let (shown, _) = said(&runner, &["dead-letters", "show", &name]);
    assert!(
        shown.contains("422") && shown.ends_with("hello\n"),
        "{shown}"
    );
    let (ambiguous, code) = said(&runner, &["dead-letters", "show", "bad"]);
    assert_eq!(code, Some(1));
    assert!(
        ambiguous.contains("several") && ambiguous.contains(&name),
        "{ambiguous}"
    );

    let (again, code) = said(&runner, &["dead-letters", "redrive", &name, "--wait"]);
    assert_eq!(code, Some(1), "nothing has changed: {again}");
    let (list, _) = said(&runner, &["dead-letters", "list", "first", "--json"]);
    let list: Value = serde_json::from_str(&list).unwrap();
    assert_eq!(list.as_array().unwrap().len(), 1, "{list}");

    let deployment = |annotations: Value| {
        let ledger = runner.folder().join("ledger").display().to_string();
        let variables = json!({ "lenient": "true", "ledger": ledger });
        json!({ "service": "first", "envVars": variables, "annotations": annotations }).to_string()
    };
    let put = async |deployment| {
        runner
            .send(Method::PUT, "/system/functions", deployment)
            .await
    };
    assert_eq!(put(deployment(json!({}))).await.0, 202);
    until("the deployment", async || {
        let environment = runner.get("/function/first/env").await.1;
        environment.contains("lenient").then_some(())
    })
    .await;
    let (refused, code) = said(&runner, &["dead-letters", "redrive", "--function", "first"]);
    assert_eq!(code, Some(1));
    assert!(refused.contains("does not hang on a now"), "{refused}");

    let filtered = json!({ "topic": "a", "events.filter": "type=wanted" });
    assert_eq!(put(deployment(filtered)).await.0, 202);
    let redriven = until("it hangs on its topic again", async || {
        let (text, code) = said(
            &runner,
            &["dead-letters", "redrive", "--function", "first", "--wait"],
        );
        (code == Some(0)).then_some(text)
    })
    .await;
    assert!(
        redriven.contains("first  done") && redriven.contains("second  filtered"),
        "{redriven}"
    );
    assert_eq!(
        ledger(&runner),
        ["first bad"],
        "second was not called again"
    );
    let (list, _) = said(&runner, &["dead-letters", "list", "first"]);
    assert_eq!(list.trim(), "no dead letters");

    let gone = json!({ "functionName": "second" }).to_string();
    let (status, _) = runner.send(Method::DELETE, "/system/functions", gone).await;
    assert_eq!(status, 202);
    let (list, _) = said(&runner, &["dead-letters", "list", "second"]);
    assert_eq!(list.matches("graveyard@").count(), 2, "they stay: {list}");
}
