"""Running a compiled pipeline.

A runner takes a compiled spec and gives a `RunRecord` (`retrainer.pipelines.runs`), telling a
`RunObserver` (`.observer`) what happens on the way. `.local` runs the spec on this machine.
"""
