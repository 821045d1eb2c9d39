//! Group keys on MLS, with state rows keyed by commit hash
