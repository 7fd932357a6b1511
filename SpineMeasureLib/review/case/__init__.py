"""A case under review as plain data: state, steps that change it, undo, derived values. Nothing here knows MRML."""
