//! One row per sentence of "Calls and answers".
