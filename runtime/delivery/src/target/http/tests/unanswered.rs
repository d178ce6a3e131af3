//! Calls that end without an answer of the function.

use tokio::net::TcpListener;

use super::*;

#[tokio::test]
async fn nobody_there_is_a_function_that_is_down() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let outcome = HttpTarget::gateway(&url)
        .unwrap()
        .call(call(Payload::One(order())))
        .await;
    assert!(matches!(outcome, Outcome::Refused(_)), "{outcome:?}");
    assert_eq!(state(&outcome), State::Down);
}

#[tokio::test]
async fn a_connection_cut_before_an_answer_is_a_death() {
    let outcome = through_gateway(Then::Close).await;
    assert!(matches!(outcome, Outcome::Cut(_)), "{outcome:?}");
    assert_eq!(state(&outcome), State::Died);
}

#[tokio::test]
async fn an_answer_cut_short_is_a_death_whatever_its_status() {
    for answer in [
        "HTTP/1.1 200 OK\r\ncontent-length: 20\r\n\r\n{\"half\":",
        "HTTP/1.1 204 No Cont",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n",
        "HTTP/1.1 422 Unprocessable Entity\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhe",
    ] {
        let outcome = through_gateway(Then::AnswerAndClose(answer)).await;
        assert!(
            matches!(outcome, Outcome::CutShort(_) | Outcome::Cut(_)),
            "{answer}: {outcome:?}"
        );
        assert_eq!(state(&outcome), State::Died);
    }
}

#[tokio::test]
async fn no_answer_by_the_deadline_is_a_504() {
    for then in [
        Then::Hang,
        Then::Answer("HTTP/1.1 200 OK\r\ncontent-length: 20\r\n\r\n{\"half\":"),
    ] {
        let server = Server::start(then).await;
        let target = HttpTarget::gateway(&server.url).unwrap();
        let call = Call {
            timeout: Duration::from_millis(50),
            ..call(Payload::One(order()))
        };
        let outcome = target.call(call).await;
        assert!(matches!(outcome, Outcome::TimedOut), "{outcome:?}");
        assert!(matches!(verdict(&outcome), Verdict::Retry { .. }));
    }
}

#[tokio::test]
async fn the_gateways_own_words_are_no_answer() {
    for (answer, expected) in [
        (
            "HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n",
            State::Down,
        ),
        (
            "HTTP/1.1 502 Bad Gateway\r\ncontent-length: 0\r\n\r\n",
            State::Died,
        ),
        (
            "HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\n\r\n",
            State::Down,
        ),
        (
            "HTTP/1.1 404 Not Found\r\ncontent-type: text/plain\r\ncontent-length: 35\r\n\r\nerror finding function order.default",
            State::Down,
        ),
        (
            "HTTP/1.1 405 Method Not Allowed\r\ncontent-length: 29\r\n\r\nFunction invocations disabled",
            State::Down,
        ),
        (
            "HTTP/1.1 500 Internal Server Error\r\nx-openfaas-internal: proxy\r\ncontent-length: 0\r\n\r\n",
            State::Died,
        ),
    ] {
        let outcome = through_gateway(Then::Answer(answer)).await;
        assert!(matches!(outcome, Outcome::Answered(_)), "{outcome:?}");
        assert_eq!(state(&outcome), expected, "{answer}");
    }
}

#[tokio::test]
async fn of_watchdogs_own_words_are_no_answer_except_the_deadline() {
    let down = "HTTP/1.1 500 Internal Server Error\r\nX-Openfaas-Internal: of-watchdog\r\nContent-Length: 0\r\n\r\n";
    assert_eq!(
        state(&through_gateway(Then::Answer(down)).await),
        State::Died
    );
    let full = "HTTP/1.1 429 Too Many Requests\r\nX-OpenFaaS-Internal: faas-middleware\r\nContent-Length: 0\r\n\r\n";
    assert_eq!(
        state(&through_gateway(Then::Answer(full)).await),
        State::Full
    );
    let late = "HTTP/1.1 504 Gateway Timeout\r\nX-Openfaas-Internal: of-watchdog\r\nContent-Length: 0\r\n\r\n";
    assert!(matches!(
        verdict(&through_gateway(Then::Answer(late)).await),
        Verdict::Retry { .. }
    ));
}
