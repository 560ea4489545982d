"""One step each: a task is one file here, and one SQL file of the same name in sql/steps/. The policy is in _step.py."""
