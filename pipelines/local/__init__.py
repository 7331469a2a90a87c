"""Running a compiled pipeline on this machine.

`.runner` takes a compiled spec, returns a `RunRecord` (`retrainer.pipelines.runs.records`), and reports each step to a
`RunObserver` (`.observer`).
"""
