//! Which of the three content modes a message is in, told from its content type alone.

use crate::error::shown;
use crate::{Error, MediaType};

/// How a message carries its event or events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// Attributes in headers, or no CloudEvent at all.
    Binary,
    /// One event in the JSON format.
    Structured,
    /// Several events in the JSON batch format.
    Batch,
}

const PREFIX: &str = "application/cloudevents";

impl Mode {
    /// The mode that `content_type` announces. The prefix decides, whatever its case; a format that is not named is
    /// JSON.
    ///
    /// # Errors
    /// When it announces a CloudEvent in a format or a charset that this codec does not read.
    pub(crate) fn of(content_type: Option<&str>) -> Result<Self, Error> {
        let text = content_type.unwrap_or_default().trim_ascii_start();
        if !text
            .get(..PREFIX.len())
            .is_some_and(|start| start.eq_ignore_ascii_case(PREFIX))
        {
            return Ok(Self::Binary);
        }
        let media = MediaType::parse(text).ok_or_else(|| Error::Format(shown(text)))?;
        let mode = match media.essence[PREFIX.len()..].to_ascii_lowercase().as_str() {
            "" | "+json" => Self::Structured,
            "-batch" | "-batch+json" => Self::Batch,
            _ => return Err(Error::Format(shown(media.essence))),
        };
        if media.is_utf8() {
            Ok(mode)
        } else {
            Err(Error::Charset)
        }
    }

    /// Like [`of`](Self::of), where the protocol has no batches.
    pub(crate) fn of_single(content_type: Option<&str>) -> Result<Self, Error> {
        match Self::of(content_type)? {
            Self::Batch => Err(Error::Format(shown(content_type.unwrap_or_default()))),
            mode => Ok(mode),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn case_and_parameters_change_nothing() {
        for structured in [
            "application/cloudevents+json",
            "Application/CloudEvents+JSON",
            "application/cloudevents; charset=utf-8",
            "application/cloudevents+json;charset=\"UTF-8\"; profile=x",
        ] {
            assert_eq!(
                Mode::of(Some(structured)),
                Ok(Mode::Structured),
                "{structured}"
            );
        }
        for batch in [
            "application/cloudevents-batch+json",
            "APPLICATION/CLOUDEVENTS-BATCH+JSON; charset=UTF-8",
        ] {
            assert_eq!(Mode::of(Some(batch)), Ok(Mode::Batch), "{batch}");
        }
        for binary in [
            None,
            Some("application/json"),
            Some("application/cloudevent"),
            Some("é"),
        ] {
            assert_eq!(Mode::of(binary), Ok(Mode::Binary), "{binary:?}");
        }
    }

    #[test]
    fn formats_and_charsets_that_nobody_reads_here_are_refused() {
        for unknown in [
            "application/cloudevents+avro",
            "application/cloudeventsx",
            "application/cloudevents+json; x",
        ] {
            assert!(
                matches!(Mode::of(Some(unknown)), Err(Error::Format(_))),
                "{unknown}"
            );
        }
        assert_eq!(
            Mode::of(Some("application/cloudevents+json; charset=utf-16")),
            Err(Error::Charset)
        );
    }

    #[test]
    fn a_batch_is_refused_where_there_are_none() {
        assert!(Mode::of_single(Some("application/cloudevents-batch+json")).is_err());
        assert_eq!(
            Mode::of_single(Some("application/cloudevents+json")),
            Ok(Mode::Structured)
        );
    }
}
