//! Who may use the API.

use http::Method;
use openfaas_tests::runner::call;

use crate::probe::{Password, request, runner, runner_with};

#[tokio::test]
async fn the_api_asks_for_the_password_and_functions_do_not() {
    let password = Password::new("admin", "s3cret");
    let runner = runner_with(&password.arguments().each_ref().map(String::as_str));
    let refused = runner
        .call(request(Method::GET, "/system/functions", &[], ""))
        .await;
    assert_eq!(
        (refused.status().as_u16(), &refused.body()[..]),
        (401, &b"invalid credentials"[..])
    );
    assert_eq!(
        refused.headers()["www-authenticate"],
        "Basic realm=\"Restricted\""
    );
    let authorization = [("authorization", "Basic YWRtaW46czNjcmV0")];
    let allowed = runner
        .call(request(
            Method::GET,
            "/system/functions",
            &authorization,
            "",
        ))
        .await;
    assert_eq!(allowed.status(), 200);
    assert_eq!(runner.get("/function/probe/x").await.0, 200);
}

#[tokio::test]
async fn a_web_page_from_elsewhere_cannot_use_the_api() {
    let runner = runner();
    for headers in [
        [("origin", "https://elsewhere.example")],
        [("host", "rebound.example:8080")],
    ] {
        let answer = call(
            &runner.gateway,
            request(Method::GET, "/system/functions", &headers, ""),
        )
        .await;
        assert_eq!(answer.status(), 403, "{headers:?}");
    }
}
