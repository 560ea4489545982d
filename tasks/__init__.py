"""One step each: a task is a file here and an SQL file of the same name in sql/steps/. Policy is in _step.py."""
