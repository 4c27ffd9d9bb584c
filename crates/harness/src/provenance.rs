//! Machine and revision.
