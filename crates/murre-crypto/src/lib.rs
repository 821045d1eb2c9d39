//! Keys by role, signatures that gate reading, sealing, puzzles
