"""The review of a case: the session and its controller, over plain data (`case`) and MRML nodes (`mrml`)."""
