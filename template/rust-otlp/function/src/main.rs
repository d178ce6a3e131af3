use openfaas_runtime::Function;

fn main() -> openfaas_runtime::Result<()> {
    Function::http(handle).run()
}

async fn handle(body: String) -> String {
    format!("Hello, {body}!\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn greets_whoever_calls() {
        assert_eq!(handle("world".into()).await, "Hello, world!\n");
    }
}
