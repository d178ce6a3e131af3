//! Secrets, from the API to the function's folder.

use http::Method;
use openfaas_tests::runner::until;
use serde_json::json;

use crate::probe::runner;

#[tokio::test]
async fn a_secret_reaches_the_function_that_names_it() {
    let runner = runner();
    let secret = |value: &str| json!({ "name": "key", "value": value }).to_string();
    assert_eq!(
        runner
            .send(Method::PUT, "/system/secrets", secret("a"))
            .await
            .0,
        404
    );
    assert_eq!(runner.post("/system/secrets", secret("a")).await.0, 202);
    assert_eq!(runner.post("/system/secrets", secret("a")).await.0, 409);
    assert_eq!(
        runner.json("/system/secrets").await,
        json!([{ "name": "key", "namespace": "openfaas-fn" }])
    );
    assert_eq!(
        runner.get("/function/probe/secret/key").await.0,
        404,
        "it did not ask for it"
    );

    let deployment = json!({ "service": "probe", "secrets": ["key"] }).to_string();
    assert_eq!(
        runner
            .send(Method::PUT, "/system/functions", deployment)
            .await
            .0,
        202
    );
    let read = async || runner.get("/function/probe/secret/key").await;
    until("the secret", async || {
        (read().await == (200, "a".to_owned())).then_some(())
    })
    .await;
    assert_eq!(
        runner
            .send(
                Method::PUT,
                "/system/secrets",
                r#"{"name":"key","rawValue":"Yg=="}"#
            )
            .await
            .0,
        202
    );
    assert_eq!(read().await, (200, "b".to_owned()), "without a restart");
    assert_eq!(
        runner
            .send(Method::DELETE, "/system/secrets", r#"{"name":"key"}"#)
            .await
            .0,
        202
    );
    assert_eq!(read().await.0, 404);
    assert_eq!(
        runner
            .post("/system/secrets", r#"{"name":"../key","value":"x"}"#)
            .await
            .0,
        400
    );
}
