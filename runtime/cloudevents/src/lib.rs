//! The CloudEvents event type and its wire codec: HTTP, NATS and Kafka, without I/O.
