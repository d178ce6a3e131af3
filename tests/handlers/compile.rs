//! Handlers that are none fail to compile, with a sentence that helps.

#[test]
fn a_wrong_handler_is_told_what_a_right_one_is() {
    trybuild::TestCases::new().compile_fail("wrong/*.rs");
}
