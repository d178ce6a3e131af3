use openfaas_runtime::Function;

fn main() -> openfaas_runtime::Result<()> {
    Function::http(handle).run()
}

/// Any axum handler will do: what it takes is read from the request, what it returns becomes the answer.
async fn handle(name: String) -> String {
    format!("Hello, {name}!\n")
}

#[cfg(test)]
mod tests {
    use openfaas_runtime::testing;

    use super::*;

    #[tokio::test]
    async fn greets_by_name() {
        assert_eq!(handle("Ferris".into()).await, "Hello, Ferris!\n");
    }

    #[tokio::test]
    async fn answers_what_a_caller_sees() {
        let reply = testing::call(Function::http(handle), "Ferris").await;

        assert_eq!(reply.status(), 200);
        assert_eq!(reply.text(), "Hello, Ferris!\n");
    }
}
