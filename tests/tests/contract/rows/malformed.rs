//! Requests that are none, and those that two readers could understand differently.

use std::time::Duration;

use openfaas_tests::contract::Subject;

/// What bytes are answered, and whether the connection lives on. A second answer would be to a smuggled request.
fn answered(subject: &Subject, bytes: impl AsRef<[u8]>) -> String {
    let mut process = subject.start(&[]);
    let mut socket = process.connect();
    socket.patience(Duration::from_secs(3)).send(bytes);
    let Some(reply) = socket.reply() else {
        assert!(process.is_running(), "{}", process.output());
        return "closed".to_owned();
    };
    let end = match socket.patience(Duration::from_millis(150)).reply() {
        Some(second) => format!(", and a second answer: {}", second.status),
        None if socket.is_closed() => ", closed".to_owned(),
        None => String::new(),
    };
    assert_eq!(process.get("/status/200").status, 200, "it lives");
    format!("{}{end}", reply.status)
}

/// The same for a request with these lines after its first two.
fn with_lines(subject: &Subject, lines: &str) -> String {
    answered(
        subject,
        format!("POST /length HTTP/1.1\r\nHost: f\r\n{lines}"),
    )
}

rows! {
    fn two_lengths_that_differ(subject) => "400, closed" {
        with_lines(subject, "Content-Length: 3\r\nContent-Length: 5\r\n\r\nabcde")
    }

    fn a_list_of_two_lengths(subject) => "400, closed" {
        with_lines(subject, "Content-Length: 3, 5\r\n\r\nabcde")
    }

    fn a_length_that_is_no_number(subject) => "400, 400, 400, 400" {
        ["+3", "-3", "0x3", "3 3"]
            .map(|length| with_lines(subject, &format!("Content-Length: {length}\r\n\r\nabc"))[..3].to_owned())
            .join(", ")
    }

    fn a_length_beyond_all_numbers(subject) => "400, closed" {
        with_lines(subject, "Content-Length: 99999999999999999999999\r\n\r\nabc")
    }

    fn a_length_beside_chunks(subject) => "200, closed" {
        with_lines(subject, "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /status/404 HTTP/1.1\r\nHost: f\r\n\r\n")
    }

    fn an_unknown_transfer_encoding(subject) => "400, closed" {
        with_lines(subject, "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n")
    }

    fn chunks_that_are_not_the_last_encoding(subject) => "400, closed" {
        with_lines(subject, "Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n")
    }

    fn chunks_of_chunks(subject) => "501, closed" {
        with_lines(subject, "Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n")
    }

    fn chunks_said_twice(subject) => "501, closed" {
        with_lines(subject, "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n")
    }

    fn chunks_of_another_encoding(subject) => "501, closed" {
        with_lines(subject, "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n")
    }

    fn chunks_from_http_1_0(subject) => "400, closed" {
        answered(subject, "POST /length HTTP/1.0\r\nHost: f\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n")
    }

    fn a_chunk_of_no_size(subject) => "400, closed" {
        with_lines(subject, "Transfer-Encoding: chunked\r\n\r\nxyz\r\nabc\r\n0\r\n\r\n")
    }

    fn a_chunk_without_its_end(subject) => "400, closed" {
        with_lines(subject, "Transfer-Encoding: chunked\r\n\r\n3\r\nabcdef\r\n0\r\n\r\n")
    }

    fn a_header_folded_over_two_lines(subject) => "400, closed" {
        with_lines(subject, "X-Folded: a\r\n b\r\n\r\n")
    }

    fn a_space_before_the_colon(subject) => "400, closed" {
        with_lines(subject, "Content-Length : 3\r\n\r\nabc")
    }

    fn a_header_without_a_colon(subject) => "400, closed" {
        with_lines(subject, "no colon here\r\n\r\n")
    }

    fn a_header_name_with_a_space(subject) => "400, closed" {
        with_lines(subject, "X Y: z\r\n\r\n")
    }

    fn a_control_character_in_a_header(subject) => "400, closed" {
        with_lines(subject, "X-Nul: a\0b\r\n\r\n")
    }

    fn a_carriage_return_in_a_header(subject) => "400, closed" {
        with_lines(subject, "X-Cr: a\rContent-Length: 3\r\n\r\nabc")
    }

    fn no_host(subject) => "400, closed" {
        answered(subject, "GET /status/200 HTTP/1.1\r\n\r\n")
    }

    fn two_hosts(subject) => "400, closed" {
        with_lines(subject, "Host: g\r\n\r\n")
    }

    fn a_method_with_a_bracket(subject) => "400, closed" {
        answered(subject, "GE[T /status/200 HTTP/1.1\r\nHost: f\r\n\r\n")
    }

    fn no_version(subject) => "400, closed" {
        answered(subject, "GET /status/200\r\nHost: f\r\n\r\n")
    }

    fn a_version_from_the_future(subject) => "400, closed" {
        answered(subject, "GET /status/200 HTTP/7.3\r\nHost: f\r\n\r\n")
    }

    fn a_target_with_a_space(subject) => "400, closed" {
        answered(subject, "GET /a b HTTP/1.1\r\nHost: f\r\n\r\n")
    }

    fn bytes_that_are_no_request(subject) => "400, closed" {
        answered(subject, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 hello over TLS \r\n\r\n")
    }

    fn an_absolute_target(subject) => "200" {
        answered(subject, "GET http://f/status/200 HTTP/1.1\r\nHost: f\r\n\r\n")
    }

    fn a_head_of_more_than_a_mebibyte(subject) => "431, closed" {
        let line = format!("X-Large: {}\r\n\r\n", "x".repeat((1 << 20) + 8192));
        answered(subject, format!("GET /status/200 HTTP/1.1\r\nHost: f\r\n{line}"))
    }

    fn a_head_of_half_a_mebibyte(subject) => "200" {
        let line = format!("X-Large: {}\r\n\r\n", "x".repeat(1 << 19));
        answered(subject, format!("GET /status/200 HTTP/1.1\r\nHost: f\r\n{line}"))
    }

    fn a_head_of_three_hundred_lines(subject) => "431, closed" {
        let lines: String = (0..300).map(|n| format!("X-Line-{n}: {n}\r\n")).collect();
        answered(subject, format!("GET /status/200 HTTP/1.1\r\nHost: f\r\n{lines}\r\n"))
    }

    fn a_target_of_ten_thousand_characters(subject) => "200" {
        answered(subject, format!("GET /status/200?{} HTTP/1.1\r\nHost: f\r\n\r\n", "q".repeat(10_000)))
    }
}
