"""One file for each tracker that published takes are passed on to; the file is the registration.

Each offers `open_sink(target=None) -> Sink`, where `target` is the tracker's own run or writer.
`earmark.sink.open_sink` finds a file by its name; `earmark.testing.check_sink` tests a sink.
"""
